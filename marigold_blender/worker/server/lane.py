# SPDX-License-Identifier: GPL-3.0-or-later
"""One lane of the worker: a background thread that does its jobs one after the other. Made by `main`, one of each kind.

Inference and downloads have a lane each, so that a model is fetched while another computes.
"""

from __future__ import annotations

import queue
import sys
import threading
import traceback

from ...errors import MarigoldError
from ..protocol import Message
from .outbox import Outbox
from .progress import SHARES, STAGE_SHARE, Progress
from .tasks import TASKS


class Lane:
    """The background thread of one lane.

    Args:
        cancelled: ids of jobs that shall stop; jobs that are over are taken out.
    """

    def __init__(self, name: str, outbox: Outbox, cancelled: set[str]) -> None:
        self.requests: queue.Queue[Message] = queue.Queue()
        self._outbox = outbox
        self._cancelled = cancelled
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def _run(self) -> None:
        while True:
            request = self.requests.get()
            job = request["job"]
            try:
                result = self._do(request)
            except MarigoldError as error:
                self._outbox.send({"type": "error", "job": job, "error": error.to_json()})
            except Exception as error:  # noqa: BLE001 - the worker must outlive any fault of a task, and tell of it
                traceback.print_exc()
                self._outbox.send({"type": "error", "job": job, "error": unexpected(error).to_json()})
            else:
                self._outbox.send({"type": "result", "job": job, "result": result})
            self._cancelled.discard(job)

    def _do(self, request: Message) -> Message:
        job = request["job"]
        task = TASKS.get(request["task"])
        if task is None:
            raise MarigoldError("internal", f"The worker knows no task “{request['task']}”.")
        shares = SHARES.get(request["task"], STAGE_SHARE)
        progress = Progress(lambda update: self._outbox.send({"type": "progress", "job": job, **update}), shares)
        return task(request["payload"], progress, lambda: job in self._cancelled)


def unexpected(error: Exception) -> MarigoldError:
    """A fault that no part foresaw, as one sentence with its traceback as details."""
    if isinstance(error, ImportError) and error.name and not error.name.startswith("marigold_blender"):
        return MarigoldError(
            "no_runtime",
            f"The worker's Python “{sys.executable}” has no usable {error.name}: install it there, or choose another "
            "Python in the add-on's preferences.",
            fix="preferences.addon_show",
            details=traceback.format_exc(),
        )
    return MarigoldError(
        "internal",
        f"The job stopped on an unexpected fault ({type(error).__name__}: {error}): please report it with the log.",
        details=traceback.format_exc(),
    )
