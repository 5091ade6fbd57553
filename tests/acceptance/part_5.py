"""Part 5 in full: ensembling beside diffusers."""

from tests.acceptance.ensembles import merge_times, objectives
from tests.acceptance.steps import Acceptance


def main() -> None:
    acceptance = Acceptance(5)
    acceptance.step("ensemble_time", merge_times)
    acceptance.step("ensemble_objective", objectives)
    acceptance.finish()


if __name__ == "__main__":
    main()
