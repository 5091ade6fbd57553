# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits for the network in a thread of its own, so that a cancel is obeyed at once. Used by `hub` and `transfer`.

A silent socket can only be waited for, not asked. The thread does nothing but wait and pass on what arrives; when it is
given up, it ends with its own timeout.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import httpx2

CHECK_EVERY_S = 0.05
PIECES_AHEAD = 64  # of up to 64 KiB: what may be waiting to be written

Check = Callable[[], None]
"""Called often while waiting; raises to give up."""

T = TypeVar("T")


def run_in_background(call: Callable[[], T], check: Check) -> T:
    """The result of a call that may block; what it raises is raised here."""
    outcome: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            outcome.put((call(), None))
        except Exception as error:  # noqa: BLE001 - raised again on the other side
            outcome.put((None, error))

    threading.Thread(target=run, name="request", daemon=True).start()
    while True:
        check()
        with contextlib.suppress(queue.Empty):
            result, error = outcome.get(timeout=CHECK_EVERY_S)
            if error:
                raise error
            return result  # type: ignore[return-value]


@dataclass(frozen=True)
class Answer:
    """The head of a response."""

    status: int
    headers: httpx2.Headers
    url: httpx2.URL


class ByteStream:
    """One GET request whose body arrives piece by piece.

    Raises, from `open` and `pieces`: what httpx2 raises, what `check` raises, and TimeoutError.
    """

    def __init__(self, client: httpx2.Client, url: str, headers: dict[str, str]) -> None:
        self._arrived: queue.Queue[Answer | bytes | BaseException | None] = queue.Queue(PIECES_AHEAD)
        self._given_up = threading.Event()
        self._socket: socket.socket | None = None
        arguments = (client, url, headers)
        threading.Thread(target=self._receive, args=arguments, name="transfer", daemon=True).start()

    def open(self, check: Check, timeout_s: float) -> Answer:
        """Wait for the head of the response."""
        answer = self._next(check, timeout_s)
        assert isinstance(answer, Answer)
        return answer

    def pieces(self, check: Check, timeout_s: float) -> Iterator[bytes]:
        """The body; a silence of `timeout_s` is an error."""
        while (piece := self._next(check, timeout_s)) is not None:
            assert isinstance(piece, bytes)
            yield piece

    def give_up(self) -> None:
        """Stop receiving, at whatever point it is."""
        self._given_up.set()
        if self._socket:
            with contextlib.suppress(OSError):  # it may be closed already
                self._socket.shutdown(socket.SHUT_RDWR)

    def _next(self, check: Check, timeout_s: float) -> Answer | bytes | None:
        until = time.monotonic() + timeout_s
        while True:
            check()
            try:
                arrived = self._arrived.get(timeout=CHECK_EVERY_S)
            except queue.Empty:
                if time.monotonic() > until:
                    raise TimeoutError from None
                continue
            if isinstance(arrived, BaseException):
                raise arrived
            return arrived

    def _receive(self, client: httpx2.Client, url: str, headers: dict[str, str]) -> None:
        try:
            with client.stream("GET", url, headers=headers) as response:
                stream = response.extensions.get("network_stream")
                self._socket = stream.get_extra_info("socket") if stream else None
                self._pass_on(Answer(response.status_code, response.headers, response.url))
                # a proxy may compress although we ask it not to
                plain = response.headers.get("content-encoding", "identity") == "identity"
                for piece in response.iter_raw() if plain else response.iter_bytes():
                    if not self._pass_on(piece):
                        return
            self._pass_on(None)
        except Exception as error:  # noqa: BLE001 - raised again on the other side
            self._pass_on(error)

    def _pass_on(self, item: Answer | bytes | BaseException | None) -> bool:
        while not self._given_up.is_set():
            with contextlib.suppress(queue.Full):
                self._arrived.put(item, timeout=CHECK_EVERY_S)
                return True
        return False
