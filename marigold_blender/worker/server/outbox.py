# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends messages from any thread without ever making it wait for a reader. Used by `main`.

Blender does not poll while it renders or shows a file dialog; then the pipe fills. Computing goes on all the same:
progress that is not yet sent is replaced by newer progress of the same job.
"""

from __future__ import annotations

import os
import threading
from collections import deque

from ..protocol import Message, encode


class Outbox:
    """Writes to a file descriptor from a thread of its own, in order."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pending: deque[Message] = deque()
        self._changed = threading.Condition()
        self._writing = False
        threading.Thread(target=self._write_all, name="outbox", daemon=True).start()

    def send(self, message: Message) -> None:
        with self._changed:
            if message["type"] == "progress":  # another lane's progress may stand between it and the last of this job
                outdated = ("progress", message["job"])
                self._pending = deque(m for m in self._pending if (m["type"], m.get("job")) != outdated)
            self._pending.append(message)
            self._changed.notify_all()

    def drain(self, timeout_s: float) -> None:
        """Wait until everything is written, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: not self._pending and not self._writing, timeout_s)

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending)
                data = encode(self._pending.popleft())
                self._writing = True
            try:
                while data:
                    data = data[os.write(self._descriptor, data) :]
            except OSError:
                os._exit(1)  # the client is gone: there is nobody left to work for
            with self._changed:
                self._writing = False
                self._changed.notify_all()
