"""Starts installers of tiny packages and follows them, for the tests of kills and faults."""

import time
from pathlib import Path

from marigold_blender.runtime.installer import InstallerJob, start_install

PATIENCE_S = 120
SLOW = 60_000  # bytes a second: the packages then take ten seconds


def install(folder: Path, **options) -> InstallerJob:
    return start_install(folder, accelerator="cpu", installer="pip", **options)


def poll_until(job: InstallerJob, condition) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition(job):
        assert time.monotonic() < deadline, (job.state, job.stage, job.message)
        assert not job.poll().is_over or condition(job), (job.state, job.error and job.error.message)
        time.sleep(0.01)
