# SPDX-License-Identifier: GPL-3.0-or-later
"""A job of the worker whose result goes into a scene: what photos, clips and depth of field have in common.

Driven by `session` (window) or `run_blocking` (scripts).
"""

from typing import Any, ClassVar

import bpy

from ..marigold_blender.worker.client.jobs import JobQueue
from . import state
from .delivery import deliver
from .task import Phase, WorkerTask, is_done, wait_printing


class DeliveredTask(WorkerTask):
    """Subclasses say what is asked of the worker (`queue_job`) and what becomes of its result (`bring`).

    Attributes:
        NOTES_TIME: whether the next run of this kind will take as long.
    """

    NOTES_TIME: ClassVar[bool] = True

    @property
    def title(self) -> str:
        raise NotImplementedError

    def queue_job(self, queue: JobQueue) -> None:
        """Hand the job to the queue.

        Raises:
            MarigoldError: the source cannot be read, or the cache not written.
        """
        raise NotImplementedError

    def bring(self, context: bpy.types.Context, result: dict[str, Any]) -> dict[str, Any]:
        """Bring the worker's result into the context's scene; the names of what was made.

        Raises:
            MarigoldError: it cannot be loaded.
        """
        raise NotImplementedError

    def deliver(self) -> None:
        deliver(self)

    def advance(self, queue: JobQueue) -> None:
        if self.phase is Phase.READING:
            self.queue_job(queue)
        elif self.phase is Phase.WORKING:
            assert self.job is not None
            if is_done(self.job):
                self._note_time()
                self.phase = Phase.BUILDING
        elif self.phase.delivers:
            self.deliver()

    def apply(self, context: bpy.types.Context) -> dict[str, Any]:
        """Bring the result and end; the names of what was made.

        Raises:
            MarigoldError: it cannot be loaded.
        """
        assert self.job is not None
        assert self.job.result is not None
        made = self.bring(context, self.job.result)
        self.discard()
        self.phase = Phase.OVER
        return made

    def run_blocking(self, queue: JobQueue, context: bpy.types.Context) -> dict[str, Any]:
        """The whole way in one call, as scripts and background runs take it; the names of what was made.

        Raises:
            MarigoldError: whatever fails.
        """
        self.queue_job(queue)
        assert self.job is not None
        wait_printing(self.job, self.title, queue)
        self._note_time()
        return self.apply(context)

    def _note_time(self) -> None:
        if self.NOTES_TIME:
            assert self.job is not None
            state.past_runs().note(self.job.tag, self.job)
