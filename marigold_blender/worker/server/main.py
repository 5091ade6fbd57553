# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's entry: reads requests on the main thread and answers cancel and ping at once, computes on another.

Started by `client.process.Worker` with the parent's process id as second argument. Imports nothing heavy: torch comes
with the first task that needs it, on the computing thread.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import traceback
from pathlib import Path

from ... import __version__
from ...errors import MarigoldError
from ...parent_death import die_with
from ..protocol import PROTOCOL, Message, decode
from .outbox import Outbox
from .progress import SHARES, STAGE_SHARE, Progress
from .tasks import TASKS

DRAIN_S = 1.0
NICENESS = 5


def main() -> None:
    """Serve until stdin closes or a shutdown is asked for, then exit without waiting for the computing thread."""
    die_with(int(sys.argv[2]))
    _lower_priority()
    outbox = Outbox(_claim_stdout())
    outbox.send(
        {"type": "hello", "protocol": PROTOCOL, "version": __version__, "pid": os.getpid(), "python": sys.version}
    )
    computer = Computer(outbox)
    for line in sys.stdin.buffer:
        message = decode(line)
        if message["type"] == "shutdown":
            break
        answer(message, computer, outbox)
    # a computing thread cannot be waited for; files are written beside and renamed, so nothing is left half-written
    outbox.drain(DRAIN_S)
    os._exit(0)


def answer(message: Message, computer: Computer, outbox: Outbox) -> None:
    kind = message["type"]
    if kind == "request":
        computer.requests.put(message)
    elif kind == "cancel":
        computer.cancel(message["job"])
        outbox.send({"type": "cancelling", "job": message["job"]})
    elif kind == "ping":
        outbox.send({"type": "pong", "id": message["id"]})
    elif kind == "hello" and message["protocol"] != PROTOCOL:
        outbox.send({"type": "log", "text": f"protocol {message['protocol']} asked for, {PROTOCOL} spoken"})


class Computer:
    """The background thread that computes, one request after the other."""

    def __init__(self, outbox: Outbox) -> None:
        self.requests: queue.Queue[Message] = queue.Queue()
        self._outbox = outbox
        self._cancelled: set[str] = set()
        threading.Thread(target=self._run, name="compute", daemon=True).start()

    def cancel(self, job: str) -> None:
        self._cancelled.add(job)

    def _run(self) -> None:
        while True:
            request = self.requests.get()
            job = request["job"]
            try:
                result = self._compute(request)
            except MarigoldError as error:
                self._outbox.send({"type": "error", "job": job, "error": error.to_json()})
            except Exception as error:  # noqa: BLE001 - the worker must outlive any fault of a task, and tell of it
                traceback.print_exc()
                self._outbox.send({"type": "error", "job": job, "error": unexpected(error).to_json()})
            else:
                self._outbox.send({"type": "result", "job": job, "result": result})
            self._cancelled.discard(job)

    def _compute(self, request: Message) -> Message:
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


def _claim_stdout() -> int:
    """Keep stdout for the protocol alone: whatever else prints there goes to the log, as stderr does."""
    protocol = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return protocol


def _lower_priority() -> None:
    if sys.platform == "win32":
        return  # set by the client when it starts us
    os.nice(NICENESS)
    # Linux weighs whole sessions against each other, and ours is its own: there the number above counts only within it
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(NICENESS))
