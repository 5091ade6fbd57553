"""Part 3 in full: a real installation, kills of installer, download and worker, cancelling, long use of the window."""

from tests.acceptance.cancelling import cancel_demo, cancel_full_size
from tests.acceptance.download_kills import download_kills
from tests.acceptance.part_1 import kills
from tests.acceptance.runtime_installs import full_install, install_kills
from tests.acceptance.steps import Acceptance
from tests.acceptance.window import first_start, growth, long_use, twenty_times


def main() -> None:
    acceptance = Acceptance(3)
    acceptance.step("full_install", full_install)
    acceptance.step("install_kills", lambda: install_kills(16))
    acceptance.step("download_kills", lambda: download_kills(16))
    acceptance.step("worker_kills", lambda: kills(16))
    acceptance.step("cancel_demo", cancel_demo)
    acceptance.step("cancel_full_size", cancel_full_size)
    acceptance.step("first_start_in_the_window", first_start)
    acceptance.step("twenty_times", twenty_times)
    acceptance.step("long_use", long_use)
    acceptance.step("growth", growth)
    acceptance.finish()


if __name__ == "__main__":
    main()
