# SPDX-License-Identifier: GPL-3.0-or-later
"""The installer's side of the pipes to its client: events out, cancel in, never waiting for either.

Used by `command` when a client started it. The words are those of `worker.protocol`; a `progress` has `unit` and
`message` besides. Progress that the client has not taken yet is replaced by newer progress.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque

from ..errors import MarigoldError
from ..worker.client.pipes import PipeClosedError, open_pipes
from ..worker.protocol import Message, decode, encode

STEP_S = 0.02


class Channel:
    """The two pipes of a client."""

    def __init__(self) -> None:
        self._protocol = os.fdopen(os.dup(1), "wb", 0)
        os.dup2(2, 1)  # whatever else prints goes to the log
        sys.stdout = sys.stderr
        self._pipes = open_pipes(sys.stdin.buffer, self._protocol)
        self._incoming = bytearray()
        self._sending = b""
        self._pending: deque[Message] = deque()
        self.cancelled = False

    def send(self, message: Message) -> None:
        last = self._pending[-1] if self._pending else None
        if last and message["type"] == last["type"] == "progress":
            self._pending.pop()
        self._pending.append(message)
        self._flush()

    def check(self) -> None:
        """Take what the client has said.

        Raises:
            MarigoldError: it has cancelled (`cancelled`).
            PipeClosedError: it is gone.
        """
        self._flush()
        while data := self._pipes.read():
            self._incoming += data
        *lines, rest = self._incoming.split(b"\n")
        self._incoming = bytearray(rest)
        for line in lines:
            message = decode(bytes(line))
            if message["type"] == "cancel" and not self.cancelled:
                self.cancelled = True
                self.send({"type": "cancelling", "job": message.get("job", "")})
            elif message["type"] == "shutdown":
                raise PipeClosedError
        if self.cancelled:
            raise MarigoldError("cancelled", "The installation was cancelled.")

    def finish(self) -> None:
        """Wait until the client has taken everything, or is gone."""
        try:
            while self._pending or self._sending:
                self._flush()
                time.sleep(STEP_S)
        except PipeClosedError:
            return

    def _flush(self) -> None:
        while self._sending or self._pending:
            if not self._sending:
                self._sending = encode(self._pending.popleft())
            written = self._pipes.write(self._sending)
            if not written:
                return
            self._sending = self._sending[written:]
