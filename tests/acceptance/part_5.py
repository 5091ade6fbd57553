"""Part 5 in full: ensembling beside diffusers, 100 megapixels by tiles."""

from tests.acceptance.ensembles import merge_times, objectives
from tests.acceptance.steps import Acceptance
from tests.acceptance.tiles import hundred_megapixels


def main() -> None:
    acceptance = Acceptance(5)
    acceptance.step("ensemble_time", merge_times)
    acceptance.step("ensemble_objective", objectives)
    acceptance.step("tiles_of_100_megapixels", hundred_megapixels)
    acceptance.finish()


if __name__ == "__main__":
    main()
