# SPDX-License-Identifier: GPL-3.0-or-later
"""What the job list holds: photos, trainings, downloads, an installation. `session` drives them, panels draw them."""

import itertools
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, ClassVar, Protocol

from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.worker.client.job import Job, JobState
from ..marigold_blender.worker.client.jobs import JobQueue
from ..marigold_blender.worker.client.past_runs import PastRuns
from .words import size

STAGE_WORDS = {  # where the worker's own word says too little
    "starting": "Starting the worker",
    "importing": "Loading torch",
    "loading": "Loading the model",
    "asking": "Asking the hub",
    "waiting": "Waiting for another program",
    "rendering": "Rendering scenes",
}
BYTE_STAGES = ("checking", "downloading", "copying")  # stages of the worker that count bytes

_numbers = itertools.count(1)


class Phase(Enum):
    """Where a task stands, in words for people."""

    READING = "Reading the source"
    SAVING = "Saving a copy of this file"
    WORKING = "Working"
    BUILDING = "Building the scene"
    WAITING = "Waiting for Object Mode"
    RENDERING = "Waiting for the render"
    OFFERED = "Ready"
    OVER = "Done"

    @property
    def holds(self) -> bool:
        """Whether the next step holds the main thread: it starts one tick after the stage is shown."""
        return self in (Phase.READING, Phase.SAVING, Phase.BUILDING)

    @property
    def delivers(self) -> bool:
        """Whether the result is there and on its way into the scene."""
        return self in (Phase.BUILDING, Phase.WAITING, Phase.RENDERING)


@dataclass(frozen=True)
class Shown:
    """How far a task is, for people.

    Attributes:
        text: “Denoising 3/4”.
        fraction: share that is done, 0..1.
        seconds_left: None where it is not known.
    """

    text: str
    fraction: float = 0.0
    seconds_left: float | None = None


class Task(Protocol):
    """One entry of the job list.

    Attributes:
        id: its number, by which operators name it.
        icon: Blender's name of the icon before its title.
        offer: what its button says in the phase OFFERED.
    """

    id: int
    icon: str
    offer: str
    phase: Phase

    @property
    def title(self) -> str: ...

    @property
    def uses(self) -> str:
        """Name of the model that it works with; empty: none, or the preferred one."""

    def advance(self, queue: JobQueue) -> None:
        """Take one step, never waiting. Raises MarigoldError when the task has failed."""

    def cancel(self, queue: JobQueue) -> None:
        """Ask to stop; the phase is OVER at once where nothing runs yet."""

    def discard(self) -> None:
        """Delete the task's own files: it is over, or nobody wants its result."""

    def shown(self, past_runs: PastRuns, now: float) -> Shown:
        """How far it is at `now` (`time.monotonic`). Called in draw: no disk, no waiting."""

    def again(self) -> "Task":
        """The same, to be tried once more."""


class WorkerTask:
    """What tasks have in common that are one job of the worker; their dataclasses hold `id`, `phase` and `job`."""

    FIRST: ClassVar[Phase] = Phase.READING

    id: int
    phase: Phase
    job: Job | None

    def cancel(self, queue: JobQueue) -> None:
        if self.job:
            queue.cancel(self.job)
        if self.job is None or self.job.state.is_over:
            self.phase = Phase.OVER

    def discard(self) -> None:
        if self.job:
            JobQueue.discard(self.job)

    def shown(self, past_runs: PastRuns, now: float) -> Shown:
        if self.phase is not Phase.WORKING or self.job is None:
            return Shown(self.phase.value, self.job.overall if self.job else 0.0)
        return job_shown(self.job, past_runs.seconds_left(self.job.tag, self.job, now))

    def again(self) -> Any:
        return replace(self, id=new_id(), phase=self.FIRST, job=None)


def new_id() -> int:
    return next(_numbers)


def is_done(job: Job) -> bool:
    """Whether a job has its result.

    Raises:
        MarigoldError: it failed, or was cancelled (`cancelled`).
    """
    if job.error:
        raise job.error
    if job.state is JobState.CANCELLED:
        raise MarigoldError("cancelled", "The job was cancelled.")
    return job.state is JobState.DONE


def job_shown(job: Job, seconds_left: float | None = None) -> Shown:
    """How far a job of the worker is."""
    text = STAGE_WORDS.get(job.stage, job.stage.capitalize())
    if job.state is not JobState.RUNNING or job.total <= 1:
        return Shown(text, job.overall, seconds_left)
    if job.stage not in BYTE_STAGES:
        return Shown(f"{text} {job.done}/{job.total}", job.overall, seconds_left)
    speed = f", {size(job.bytes_per_s)}/s" if job.bytes_per_s else ""
    return Shown(f"{text} {size(job.done)} of {size(job.total)}{speed}", job.overall, job.seconds_left)


def wait_printing(job: Job, title: str, queue: JobQueue) -> None:
    """Block until a job is done, printing its stages.

    Raises:
        MarigoldError: it failed.
    """
    shown = ""

    def show_stage(job: Job) -> None:
        nonlocal shown
        if job.stage != shown:
            shown = job.stage
            print(f"marigold: {title}: {shown}", flush=True)

    queue.wait(job, show_stage)
