"""Part 6 in full: geometry from true depth against the scenes that it came from."""

from tests.acceptance.live_controls import live_controls
from tests.acceptance.solids import solids, triangle_budgets
from tests.acceptance.steps import Acceptance


def main() -> None:
    acceptance = Acceptance(6)
    acceptance.step("live_controls", live_controls)
    acceptance.step("solids", solids)
    acceptance.step("triangle_budgets", triangle_budgets)
    acceptance.finish()


if __name__ == "__main__":
    main()
