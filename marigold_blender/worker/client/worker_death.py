# SPDX-License-Identifier: GPL-3.0-or-later
"""What to tell the artist when the worker has died under a job. Called by `jobs.JobQueue`."""

from __future__ import annotations

from ...errors import MarigoldError
from .job import Job
from .process import Worker


def death_of(worker: Worker, job: Job) -> MarigoldError:
    """One sentence on how a worker ended, with the last lines of its log."""
    log = worker.log_tail()
    code = worker.process.returncode
    if not worker.ready and code >= 0:
        return MarigoldError(
            "no_runtime",
            f"“{worker.config.python}” did not start as Marigold's worker: choose a Python 3.11 or newer that has "
            "torch and diffusers in the add-on's preferences.",
            fix="preferences.addon_show",
            details=log,
        )
    how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
    return MarigoldError(
        "worker_died",
        f"The worker {how} while {job.stage}: start the job again; if it happens again, try a smaller resolution "
        "(the log says more).",
        details=log,
    )
