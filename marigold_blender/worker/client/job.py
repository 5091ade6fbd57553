# SPDX-License-Identifier: GPL-3.0-or-later
"""A job as the client sees it: what was asked for, and how far it is. Made and moved on by `jobs.JobQueue`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from ...errors import MarigoldError
from ..protocol import lane_of

CANCEL_GRACE_S = 10.0


class JobState(Enum):
    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass
class Job:
    """One piece of work and how far it is.

    Attributes:
        folder: the job's own folder, for the files that go to and come from the worker; deleted with `discard`.
        stage, done, total: what is being done, and how much of it.
        overall: share of the whole job that is done, 0..1.
        bytes_per_s: how fast it goes where `done` and `total` count bytes; else 0.
        seconds_left: what that speed leaves to wait; None where it says nothing.
        result: what the worker answered, once DONE.
        error: why it FAILED.
        stage_seconds: how long each stage that is over took.
        cancel_grace_s: a worker that does not stop within this is killed.
        tag: whatever the submitter wants to find again (which scene, which options).
    """

    id: str
    task: str
    payload: Mapping[str, Any]
    folder: Path
    tag: Any = None
    state: JobState = JobState.QUEUED
    stage: str = "queued"
    done: int = 0
    total: int = 0
    overall: float = 0.0
    bytes_per_s: float = 0.0
    seconds_left: float | None = None
    result: dict[str, Any] | None = None
    error: MarigoldError | None = None
    restarts: int = 0
    cancel_grace_s: float = CANCEL_GRACE_S
    stage_seconds: dict[str, float] = field(default_factory=dict)
    started_at: float = field(default=0.0, repr=False)
    stage_started_at: float = field(default=0.0, repr=False)
    counted_from: tuple[float, int] | None = field(default=None, repr=False)  # when this stage first told its `done`
    cancelled_at: float = field(default=0.0, repr=False)

    @property
    def lane(self) -> str:
        """One job of each lane runs at a time."""
        return lane_of(self.task)

    def enter(self, stage: str, now: float) -> None:
        """Note that another stage has begun at `now` (`time.monotonic`)."""
        if stage != self.stage:
            if self.started_at:
                self.stage_seconds[self.stage] = self.stage_seconds.get(self.stage, 0.0) + now - self.stage_started_at
            self.stage, self.stage_started_at, self.counted_from = stage, now, None

    def count(self, done: int, total: int, now: float) -> None:
        """Note how much of the stage is done at `now`."""
        self.done, self.total = done, total
        if self.counted_from is None and done:
            self.counted_from = now, done
