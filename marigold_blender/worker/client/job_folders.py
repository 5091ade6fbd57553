# SPDX-License-Identifier: GPL-3.0-or-later
"""The folders in which files go to the worker and come back: one for each job. Called by `jobs.JobQueue`."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from ...errors import MarigoldError

STALE_S = 24 * 3600.0


def make_job_folder(jobs: Path, number: int) -> Path:
    """An empty folder whose name no other job has, in any Blender.

    Raises:
        MarigoldError: the cache folder is not writable (`cannot_write`).
    """
    folder = jobs / f"{os.getpid()}-{number}-{time.time_ns():x}"
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise MarigoldError(
            "cannot_write",
            f"The cache folder “{jobs.parent}” is not writable ({error.strerror}): choose another.",
            fix="preferences.addon_show",
        ) from error
    _remove_stale(jobs)
    return folder


def _remove_stale(jobs: Path) -> None:
    """Folders of sessions that were killed: a day old, so that no running session can still need them."""
    for folder in jobs.iterdir():
        try:
            if time.time() - folder.stat().st_mtime > STALE_S:
                shutil.rmtree(folder, ignore_errors=True)
        except FileNotFoundError:
            continue  # another Blender was quicker
