# SPDX-License-Identifier: GPL-3.0-or-later
"""The installer at work, as an entry of the job list. Driven by `session`."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.runtime.installer import InstallerJob
from ..marigold_blender.worker.client.job import JobState
from ..marigold_blender.worker.client.jobs import JobQueue
from ..marigold_blender.worker.client.past_runs import PastRuns
from . import state
from .task import Phase, Shown, new_id


@dataclass
class RuntimeTask:
    """One run of the installer.

    Attributes:
        title: what it does, for people.
        start: starts the installer's process.
    """

    title: str
    start: Callable[[], InstallerJob]
    id: int = field(default_factory=new_id)
    phase: Phase = Phase.WORKING
    installer: InstallerJob | None = None
    icon: str = "PREFERENCES"
    offer: str = ""
    uses: str = ""

    def advance(self, queue: JobQueue) -> None:
        if self.installer is None:
            queue.stop_idle_worker()  # what it runs from may be replaced or deleted
            self.installer = self.start()
        self.installer.poll()
        if self.installer.is_running:  # also after its answer: it clears up
            return
        state.look_again()
        if self.installer.error:
            raise self.installer.error
        if self.installer.state is JobState.CANCELLED:
            raise MarigoldError("cancelled", "The installation was cancelled.")
        self.phase = Phase.OVER

    def cancel(self, queue: JobQueue) -> None:
        if self.installer:
            self.installer.cancel()
        else:
            self.phase = Phase.OVER

    def discard(self) -> None:
        if self.installer and self.installer.is_running:  # the extension is being disabled
            self.installer.kill()

    def shown(self, past_runs: PastRuns, now: float) -> Shown:
        if self.installer is None:
            return Shown("Starting")
        if self.installer.state.is_over:
            return Shown("Clearing up", self.installer.overall)
        return Shown(self.installer.message, self.installer.overall, self.installer.seconds_left)

    def again(self) -> "RuntimeTask":
        return RuntimeTask(self.title, self.start)
