"""Part 5 in full: speed, memory and ensembling beside diffusers; tiles of 100 megapixels, and on scenes; clips."""

from marigold_blender.benchmark.command import NAMES
from tests.acceptance.benchmark import benchmark
from tests.acceptance.ensembles import merge_times, objectives
from tests.acceptance.steady_clips import beside_independent_frames, kills, ten_thousand_frames
from tests.acceptance.steps import Acceptance, demo_revision
from tests.acceptance.tiles import beside_the_single_pass, hundred_megapixels, render_scenes


def main() -> None:
    acceptance = Acceptance(5, demo_revision())
    acceptance.step("ensemble_time", merge_times)
    acceptance.step("ensemble_objective", objectives)
    for name in NAMES:
        acceptance.step(f"benchmark_{name}", lambda n=name: benchmark(n))
    acceptance.step("tiles_of_100_megapixels", hundred_megapixels)
    acceptance.step("tiles_beside_the_single_pass", lambda: beside_the_single_pass(render_scenes()))
    acceptance.step("clips_beside_independent_frames", beside_independent_frames)
    acceptance.step("clips_killed", kills)
    acceptance.step("clips_of_10000_frames", ten_thousand_frames)
    acceptance.finish()


if __name__ == "__main__":
    main()
