# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's entry: reads requests on the main thread and answers cancel and ping at once; its lanes do the work.

Started by `client.process.Worker` with the parent's process id as second argument. Imports nothing heavy: torch comes
with the first task that needs it, on its lane's thread.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from ... import __version__
from ...parent_death import die_with
from ..protocol import LANES, PROTOCOL, Message, decode, lane_of
from . import permission
from .lane import Lane
from .outbox import Outbox

DRAIN_S = 1.0
NICENESS = 5


def main() -> None:
    """Serve until stdin closes or a shutdown is asked for, then exit without waiting for the lanes."""
    die_with(int(sys.argv[2]))
    _lower_priority()
    outbox = Outbox(_claim_stdout())
    outbox.send(
        {"type": "hello", "protocol": PROTOCOL, "version": __version__, "pid": os.getpid(), "python": sys.version}
    )
    cancelled: set[str] = set()
    lanes = {name: Lane(name, outbox, cancelled) for name in LANES}
    for line in sys.stdin.buffer:
        message = decode(line)
        if message["type"] == "shutdown":
            break
        answer(message, lanes, cancelled, outbox)
    # a lane that computes cannot be waited for; files are written beside and renamed, so nothing is left half-written
    outbox.drain(DRAIN_S)
    os._exit(0)


def answer(message: Message, lanes: dict[str, Lane], cancelled: set[str], outbox: Outbox) -> None:
    kind = message["type"]
    if kind == "request":
        lanes[lane_of(message["task"])].requests.put(message)
    elif kind == "cancel":
        cancelled.add(message["job"])
        outbox.send({"type": "cancelling", "job": message["job"]})
    elif kind == "ping":
        outbox.send({"type": "pong", "id": message["id"]})
    elif kind == "online":
        permission.give(message["allowed"])
    elif kind == "hello" and message["protocol"] != PROTOCOL:
        outbox.send({"type": "log", "text": f"protocol {message['protocol']} asked for, {PROTOCOL} spoken"})


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
