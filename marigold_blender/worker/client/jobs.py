# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue of jobs: one worker, one job of each lane at a time; a timer polls it in a window, a script waits for it.

A download runs beside an estimate, and goes on in a new worker when the worker ends: what it has fetched is on disk.
Used by the operators (through `operators/session.py`) and by tests. Never blocks but in `wait` and `shutdown`.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...errors import MarigoldError
from ..protocol import DOWNLOADS, INFERENCE, LANES, Message
from .job import Job, JobState
from .job_folders import make_job_folder
from .process import Worker, WorkerConfig
from .worker_death import death_of

START_TIMEOUT_S = 120.0  # first import of a cold disk can take a minute
WAIT_STEP_S = 0.01
DOWNLOAD_RESTARTS = 3  # how many workers may die under one download


class JobQueue:
    """Runs the jobs of each lane one after the other, in a worker that stays warm between them.

    Args:
        config: asked before each worker is started, so that changed preferences count from the next start.
        idle_s: seconds without a job after which the worker is ended; 0 = never.
    """

    def __init__(self, config: Callable[[], WorkerConfig], idle_s: Callable[[], float] = lambda: 0.0) -> None:
        self._config = config
        self._idle_s = idle_s
        self._worker: Worker | None = None
        self._waiting: deque[Job] = deque()
        self._running: dict[str, Job] = {}  # by lane
        self._numbers = itertools.count(1)
        self._last_busy = time.monotonic()

    @property
    def worker_pid(self) -> int | None:
        return self._worker.process.pid if self._worker else None

    @property
    def active(self) -> list[Job]:
        """The running jobs, then the queued ones."""
        return [*self._running.values(), *self._waiting]

    @property
    def holds_idle_memory(self) -> bool:
        """Whether the worker keeps a model loaded and has nothing to compute."""
        computes = any(job.lane == INFERENCE for job in self.active)
        return self._worker is not None and self._worker.has_computed and not computes

    def new_folder(self) -> Path:
        """An empty folder for the files of the next job.

        Raises:
            MarigoldError: the cache folder is not writable (`cannot_write`).
        """
        return make_job_folder(self._config().cache / "jobs", next(self._numbers))

    def submit(self, task: str, payload: Mapping[str, Any], folder: Path, tag: Any = None) -> Job:
        """Queue a job; it starts with the next `poll` in which its lane is free."""
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
        for lane in LANES:
            if lane not in self._running:
                changed += self._start_next(lane)
        if DOWNLOADS in self._running:
            self._tell_online()
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
        """End the worker and give back all its memory; an estimate fails, a download goes on in a new worker."""
        if self._worker:
            self._worker.stop()
            self._worker = None
        for job in list(self._running.values()):
            if job.state is JobState.CANCELLING:
                self._end(job, JobState.CANCELLED)
            elif job.lane == DOWNLOADS:
                self._put_back(job)
            else:
                stopped = MarigoldError("worker_died", "The worker was stopped while it ran this job.")
                self._end(job, JobState.FAILED, stopped)

    def stop_idle_worker(self) -> None:
        """End the worker unless it computes; a download goes on in a new one."""
        if not any(job.lane == INFERENCE for job in self._running.values()):
            self.stop_worker()

    def kill_worker(self) -> None:
        """End the worker, from whatever thread: the next `poll` sees it gone, and a download goes on in a new one."""
        if worker := self._worker:
            worker.ended_by_us = True
            worker.process.kill()

    def shutdown(self) -> None:
        """Cancel everything and end the worker: the end of the session."""
        for job in list(self._waiting):
            self.cancel(job)
        for job in self._running.values():
            job.state = JobState.CANCELLING
        self.stop_worker()

    @staticmethod
    def discard(job: Job) -> None:
        """Delete a job's folder, once its result has been taken."""
        JobQueue.remove_folder(job.folder)

    @staticmethod
    def remove_folder(folder: Path) -> None:
        """Delete a folder made by `new_folder` that came to nothing."""
        shutil.rmtree(folder, ignore_errors=True)

    def _start_next(self, lane: str) -> list[Job]:
        job = next((job for job in self._waiting if job.lane == lane), None)
        if job is None:
            return []
        try:
            config = self._config()
            if self._worker and config.needs_another_worker_than(self._worker.config):
                if self._running:
                    return []  # changed preferences count once the other lane is through
                self.stop_worker()
            if self._worker is None:
                self._worker = Worker(config)
            self._worker.set_online(config.online)
        except MarigoldError as error:
            self._waiting.remove(job)
            return [self._end(job, JobState.FAILED, error)]
        self._waiting.remove(job)
        self._running[lane] = job
        self._worker.has_computed |= lane == INFERENCE
        job.state, job.stage = JobState.RUNNING, "starting"
        job.started_at = job.stage_started_at = time.monotonic()
        self._worker.send({"type": "request", "job": job.id, "task": job.task, "payload": dict(job.payload)})
        return [job]

    def _tell_online(self) -> None:
        """Leave to use the network can be taken back while something is being fetched."""
        with contextlib.suppress(MarigoldError):  # it says why with the next job
            if self._worker:
                self._worker.set_online(self._config().online)

    def _put_back(self, job: Job) -> Job:
        """Let a job that lost its worker wait for the next one."""
        del self._running[job.lane]
        job.state, job.stage, job.bytes_per_s, job.seconds_left = JobState.QUEUED, "queued", 0.0, None
        self._waiting.appendleft(job)
        return job

    def _receive(self) -> list[Job]:
        if self._worker is None:
            return []
        try:
            messages = self._worker.receive()
        except ValueError as error:  # not our protocol: a wrong program, or a broken one
            self._worker.stop()
            self._worker = None
            failure = MarigoldError(
                "worker_died", "The worker sent something that is not a message.", details=str(error)
            )
            return [self._end(job, JobState.FAILED, failure) for job in list(self._running.values())]
        changed: list[Job] = []
        for message in messages:
            job = next((job for job in self._running.values() if job.id == message.get("job")), None)
            if job and self._apply(job, message) and job not in changed:
                changed.append(job)
        return changed

    def _apply(self, job: Job, message: Message) -> bool:
        kind = message["type"]
        if kind == "progress":
            if job.state is JobState.RUNNING:
                now = time.monotonic()
                job.enter(message["stage"], now)
                job.count(message["done"], message["total"], now)
                job.overall = max(job.overall, message["overall"])
                job.bytes_per_s, job.seconds_left = message.get("bytes_per_s", 0.0), message.get("seconds_left")
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
        worker = self._worker
        if worker is None:
            return []
        now = time.monotonic()
        running = list(self._running.values())
        if any(job.state is JobState.CANCELLING and now - job.cancelled_at > job.cancel_grace_s for job in running):
            self.stop_worker()
            return running
        if not worker.ready and now - worker.started_at > START_TIMEOUT_S:
            worker.process.kill()
        if worker.is_alive():
            return []
        worker.stop()
        self._worker = None
        return [self._after_death(worker, job) for job in running]

    def _after_death(self, worker: Worker, job: Job) -> Job:
        if job.state is JobState.CANCELLING:
            return self._end(job, JobState.CANCELLED)
        # it died between two jobs, which nobody could see before it was given this one
        was_dead = worker.served and job.stage == "starting" and not job.restarts
        resumes = worker.ready and job.lane == DOWNLOADS and job.restarts < DOWNLOAD_RESTARTS
        if was_dead or resumes or (worker.ended_by_us and job.lane == DOWNLOADS):
            job.restarts += not worker.ended_by_us
            return self._put_back(job)
        return self._end(job, JobState.FAILED, death_of(worker, job))

    def _end(self, job: Job, state: JobState, error: MarigoldError | None = None) -> Job:
        job.state = state
        job.enter(state.value, time.monotonic())
        job.error = error if state is JobState.FAILED else None
        if self._running.get(job.lane) is job:
            del self._running[job.lane]
        if state is not JobState.DONE:
            self.discard(job)
        return job
