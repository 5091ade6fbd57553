"""Part 6 in full: geometry from true depth against the scenes that it came from."""

from tests.acceptance.steps import Acceptance


def main() -> None:
    acceptance = Acceptance(6)
    acceptance.finish()


if __name__ == "__main__":
    main()
