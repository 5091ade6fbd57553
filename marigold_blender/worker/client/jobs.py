# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue of jobs: one worker, one job at a time, polled by a timer in a window or waited for by a script.

Used by the operators (through `operators/session.py`) and by tests. Never blocks but in `wait` and `shutdown`.
"""

from __future__ import annotations

import itertools
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...errors import MarigoldError
from ..protocol import Message
from .job import Job, JobState
from .process import Worker, WorkerConfig

CANCEL_GRACE_S = 10.0  # a worker that does not stop within this is killed
START_TIMEOUT_S = 120.0  # first import of a cold disk can take a minute
WAIT_STEP_S = 0.01
STALE_FOLDER_S = 24 * 3600.0


class JobQueue:
    """Runs jobs one after the other in a worker that stays warm between them.

    Args:
        config: asked before each worker is started, so that changed preferences count from the next start.
        idle_s: seconds without a job after which the worker is ended; 0 = never.
    """

    def __init__(self, config: Callable[[], WorkerConfig], idle_s: Callable[[], float] = lambda: 0.0) -> None:
        self._config = config
        self._idle_s = idle_s
        self._worker: Worker | None = None
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._numbers = itertools.count(1)
        self._last_busy = time.monotonic()

    @property
    def worker_pid(self) -> int | None:
        return self._worker.process.pid if self._worker else None

    @property
    def active(self) -> list[Job]:
        """The running job, then the queued ones."""
        return ([self._running] if self._running else []) + list(self._waiting)

    def new_folder(self) -> Path:
        """An empty folder for the files of the next job.

        Raises:
            MarigoldError: the cache folder is not writable (`cannot_write`).
        """
        jobs = self._config().cache / "jobs"
        folder = jobs / f"{os.getpid()}-{next(self._numbers)}-{time.time_ns():x}"
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

    def submit(self, task: str, payload: Mapping[str, Any], folder: Path, tag: Any = None) -> Job:
        """Queue a job; it starts with the next `poll`."""
        job = Job(id=folder.name, task=task, payload=payload, folder=folder, tag=tag)
        self._waiting.append(job)
        return job

    def cancel(self, job: Job) -> None:
        """Stop a job: a queued one at once, a running one as soon as the worker obeys."""
        if job.state is JobState.QUEUED:
            self._waiting.remove(job)
            self._end(job, JobState.CANCELLED)
        elif job.state is JobState.RUNNING and self._worker:
            job.state, job.stage = JobState.CANCELLING, "cancelling"
            job.cancelled_at = time.monotonic()
            self._worker.send({"type": "cancel", "job": job.id})

    def poll(self) -> list[Job]:
        """Take what the worker has said and start what can start; the jobs that changed. Takes well under 1 ms."""
        changed = self._receive()
        changed += self._check_worker()
        if self._running is None and self._waiting:
            changed += self._start_next()
        if self._running or self._waiting:
            self._last_busy = time.monotonic()
        elif self._worker and 0 < self._idle_s() < time.monotonic() - self._last_busy:
            self.stop_worker()
        return changed

    def wait(self, job: Job, on_change: Callable[[Job], None] | None = None) -> dict[str, Any]:
        """Block until a job is over; its result. For scripts: a window polls instead.

        Raises:
            MarigoldError: the job failed or was cancelled.
        """
        try:
            while not job.state.is_over:
                if job in self.poll():
                    if on_change:
                        on_change(job)
                else:
                    time.sleep(WAIT_STEP_S)
        except KeyboardInterrupt:
            self.cancel(job)
            if not job.state.is_over:
                self.stop_worker()
            raise
        if job.state is JobState.CANCELLED:
            raise MarigoldError("cancelled", "The job was cancelled.")
        if job.error:
            raise job.error
        assert job.result is not None
        return job.result

    def stop_worker(self) -> None:
        """End the worker and give back all its memory; a running job fails, queued ones start a new worker."""
        if self._worker:
            self._worker.stop()
            self._worker = None
        if self._running:
            state = JobState.CANCELLED if self._running.state is JobState.CANCELLING else JobState.FAILED
            self._end(
                self._running, state, MarigoldError("worker_died", "The worker was stopped while it ran this job.")
            )

    def shutdown(self) -> None:
        """Cancel everything and end the worker: the end of the session."""
        for job in list(self._waiting):
            self.cancel(job)
        if self._running:
            self._running.state = JobState.CANCELLING
        self.stop_worker()

    @staticmethod
    def discard(job: Job) -> None:
        """Delete a job's folder, once its result has been taken."""
        JobQueue.remove_folder(job.folder)

    @staticmethod
    def remove_folder(folder: Path) -> None:
        """Delete a folder made by `new_folder` that came to nothing."""
        shutil.rmtree(folder, ignore_errors=True)

    def _start_next(self) -> list[Job]:
        job = self._waiting.popleft()
        try:
            if self._worker and self._worker.config != self._config():
                self.stop_worker()
            if self._worker is None:
                self._worker = Worker(self._config())
        except MarigoldError as error:
            self._end(job, JobState.FAILED, error)
            return [job]
        self._running = job
        job.state, job.stage = JobState.RUNNING, "starting"
        job.started_at = job.stage_started_at = time.monotonic()
        self._worker.send({"type": "request", "job": job.id, "task": job.task, "payload": dict(job.payload)})
        return [job]

    def _receive(self) -> list[Job]:
        if self._worker is None:
            return []
        changed: list[Job] = []
        try:
            messages = self._worker.receive()
        except ValueError as error:  # not our protocol: a wrong program, or a broken one
            self._worker.stop()
            if self._running:
                failure = MarigoldError(
                    "worker_died", "The worker sent something that is not a message.", details=str(error)
                )
                changed.append(self._end(self._running, JobState.FAILED, failure))
            self._worker = None
            return changed
        for message in messages:
            job = self._running
            if job and message.get("job") == job.id and self._apply(job, message) and job not in changed:
                changed.append(job)
        return changed

    def _apply(self, job: Job, message: Message) -> bool:
        kind = message["type"]
        if kind == "progress":
            if job.state is JobState.RUNNING:
                job.enter(message["stage"], time.monotonic())
                job.done, job.total = message["done"], message["total"]
                job.overall = max(job.overall, message["overall"])
            return True
        if kind == "result":
            assert self._worker is not None
            self._worker.served = True
            job.result = message["result"]
            job.overall = 1.0
            self._end(job, JobState.DONE)
            return True
        if kind == "error":
            error = MarigoldError.from_json(message["error"])
            self._end(job, JobState.CANCELLED if error.kind == "cancelled" else JobState.FAILED, error)
            return True
        return False

    def _check_worker(self) -> list[Job]:
        worker, job = self._worker, self._running
        if worker is None:
            return []
        now = time.monotonic()
        if job and job.state is JobState.CANCELLING and now - job.cancelled_at > CANCEL_GRACE_S:
            self.stop_worker()
            return [job]
        if not worker.ready and now - worker.started_at > START_TIMEOUT_S:
            worker.process.kill()
        if worker.is_alive():
            return []
        worker.stop()
        self._worker = None
        if job is None:
            return []
        if job.state is JobState.CANCELLING:
            return [self._end(job, JobState.CANCELLED)]
        if worker.served and job.stage == "starting" and not job.restarts:
            # it died between two jobs, which nobody could see before it was given this one
            self._running, job.state, job.restarts = None, JobState.QUEUED, 1
            self._waiting.appendleft(job)
            return [job]
        return [self._end(job, JobState.FAILED, _death(worker, job))]

    def _end(self, job: Job, state: JobState, error: MarigoldError | None = None) -> Job:
        job.state = state
        job.enter(state.value, time.monotonic())
        job.error = error if state is JobState.FAILED else None
        if job is self._running:
            self._running = None
        if state is not JobState.DONE:
            self.discard(job)
        return job


def _death(worker: Worker, job: Job) -> MarigoldError:
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


def _remove_stale(jobs: Path) -> None:
    """Folders of sessions that were killed: a day old, so that no running session can still need them."""
    for folder in jobs.iterdir():
        try:
            if time.time() - folder.stat().st_mtime > STALE_FOLDER_S:
                shutil.rmtree(folder, ignore_errors=True)
        except FileNotFoundError:
            continue  # another Blender was quicker
