# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching, checking and moving models, as entries of the job list: the worker does it beside its computing."""

from dataclasses import dataclass, field
from typing import Any

from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.worker.client.job import Job
from ..marigold_blender.worker.client.jobs import JobQueue
from ..marigold_blender.worker.client.past_runs import PastRuns
from . import state
from .task import Phase, Shown, WorkerTask, is_done, job_shown, new_id, wait_printing


@dataclass
class ModelTask(WorkerTask):
    """One job of the worker on models.

    Attributes:
        task, payload: as the worker's table of tasks names it.
        model: name of the model; empty for all of them.
    """

    FIRST = Phase.WORKING

    task: str
    title: str
    payload: dict[str, Any]
    model: str = ""
    id: int = field(default_factory=new_id)
    phase: Phase = Phase.WORKING
    job: Job | None = None
    icon: str = "IMPORT"
    offer: str = ""

    @property
    def uses(self) -> str:
        return self.model

    def queue_job(self, queue: JobQueue) -> Job:
        self.job = queue.submit(self.task, self.payload, queue.new_folder())
        return self.job

    def advance(self, queue: JobQueue) -> None:
        job = self.job or self.queue_job(queue)
        try:
            done = is_done(job)
        except MarigoldError:
            state.look_again()
            raise
        if done:
            state.look_again()
            self.phase = Phase.OVER

    def shown(self, past_runs: PastRuns, now: float) -> Shown:
        return job_shown(self.job, self.job.seconds_left) if self.job else Shown("Queued")


def work_blocking(task: ModelTask, queue: JobQueue) -> dict[str, Any]:
    """The whole of it in one call, as scripts and background runs take it; what the worker answered.

    Raises:
        MarigoldError: whatever fails.
    """
    job = task.queue_job(queue)
    try:
        wait_printing(job, task.title, queue)
    finally:
        state.look_again()
    assert job.result is not None
    task.discard()
    return job.result
