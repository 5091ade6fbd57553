"""Part 6 in full: geometry from true depth against the scenes that it came from."""

from tests.acceptance.edges import cut_edges, filled_behind, sky_found
from tests.acceptance.live_controls import live_controls
from tests.acceptance.self_calibration import exact_depth, predicted_like_depth
from tests.acceptance.solids import solids, triangle_budgets
from tests.acceptance.steps import Acceptance
from tests.acceptance.tracked_markers import tracked_markers
from tests.acceptance.true_surfaces import true_surfaces


def main() -> None:
    acceptance = Acceptance(6)
    acceptance.step("live_controls", live_controls)
    acceptance.step("solids", solids)
    acceptance.step("triangle_budgets", triangle_budgets)
    acceptance.step("true_surfaces", true_surfaces)
    acceptance.step("tracked_markers", tracked_markers)
    acceptance.step("edges_cut", cut_edges)
    acceptance.step("edges_filled_behind", filled_behind)
    acceptance.step("sky_found", sky_found)
    acceptance.step("self_calibration_of_exact_depth", exact_depth)
    acceptance.step("self_calibration_of_depth_as_predicted", predicted_like_depth)
    acceptance.finish()


if __name__ == "__main__":
    main()
