# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetches one file so that nothing that arrived is asked for again: breaks, stalls and kills only pause it.

Called by `download`. The bytes go into a `.part` file whose length says where to go on; its hash decides at the end.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from io import FileIO
from pathlib import Path

import httpx2

from ...errors import MarigoldError
from ...models.manifest import ModelFile
from ...models.network import without_secrets
from ...models.whole_files import cannot_write
from .background import Answer, Check
from .hub import Hub, needs_token
from .patience import PASSING, PassingFaultError, Patience, as_passing, asked_to_wait, is_passing, pause

WORTHWHILE_BYTES = 1 << 20  # an attempt that brings this much was no failure
CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")

Arrived = Callable[[int], None]
"""Told how many bytes of the file are there."""


class StartOverError(PassingFaultError):
    """What is there is of no use to this server."""


def fetch_file(
    hub: Hub,
    file: ModelFile,
    part: Path,
    arrived: Arrived,
    is_whole: Callable[[Path], bool],
    check: Check,
    patience: Patience,
) -> None:
    """Have the whole file in `part`, its hash compared.

    Args:
        is_whole: compares it.
        check: called often; raises to stop, which keeps what is there.

    Raises:
        MarigoldError: the server refuses or keeps failing (`network`), or the disk does (`cannot_write`).
    """
    failures, wrong, furthest = 0, 0, _length(part)
    while wrong < 2:
        check()
        try:
            _receive_rest(hub, file, part, arrived, check, patience)
            if is_whole(part):
                return
            part.unlink()
            wrong += 1
        except PASSING as error:
            fault = as_passing(error)
            failures = 1 if _length(part) - furthest >= WORTHWHILE_BYTES else failures + 1
            furthest = max(furthest, _length(part))
            if failures >= patience.tries:
                raise gave_up(hub, fault) from error
            pause(fault, failures, patience, check)
        except OSError as error:
            raise cannot_write(part, error) from error
    raise MarigoldError(
        "network",
        f"{hub.network.endpoint} sends another {file.path} than it announces, twice now: try again later, or use "
        "another endpoint.",
    )


def gave_up(hub: Hub, fault: PassingFaultError) -> MarigoldError:
    """The sentence for a server that keeps failing."""
    reason = without_secrets(str(fault), hub.network)
    return MarigoldError(
        "network",
        f"The download from {hub.network.endpoint} cannot go on ({reason}): check the connection, the proxy and the "
        "endpoint, then start it again; what was fetched is kept.",
        details=reason,
    )


def _receive_rest(hub: Hub, file: ModelFile, part: Path, arrived: Arrived, check: Check, patience: Patience) -> None:
    part.parent.mkdir(parents=True, exist_ok=True)
    held = _length(part)
    with FileIO(part, "r+" if part.exists() else "w+") as target:
        if held > file.bytes:
            held = 0
            target.truncate(held)
        arrived(held)
        if held == file.bytes:
            return
        stream = hub.open(file, held)
        try:
            start = _first_byte(stream.open(check, patience.stall_s), held, file, hub)
            target.seek(start)
            target.truncate()
            arrived(start)
            pace = _Pace(patience)
            for piece in stream.pieces(check, patience.stall_s):
                if start + len(piece) > file.bytes:
                    raise StartOverError("it sends more than it announces")
                _write(target, piece)
                start += len(piece)
                arrived(start)
                pace.keep(len(piece))
        except StartOverError:
            target.truncate(0)
            raise
        finally:
            stream.give_up()
        os.fsync(target.fileno())
    if start < file.bytes:
        raise PassingFaultError("the connection broke")


def _first_byte(answer: Answer, held: int, file: ModelFile, hub: Hub) -> int:
    """The byte of the file that the body begins with, once it is certain that it belongs there.

    Raises:
        PassingFaultError: another attempt may fare better.
        MarigoldError: none will (`network`).
    """
    status, headers = answer.status, answer.headers
    if status == 200:  # also where only the rest was asked for: then all of it comes
        length = headers.get("content-length", str(file.bytes))
        if length != str(file.bytes) and "content-encoding" not in headers:
            raise PassingFaultError(f"it offers {length} bytes of {file.path} where {file.bytes} belong")
        return 0
    if status == 206:
        said = CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
        if said and int(said[1]) == held and said[3] in (str(file.bytes), "*") and "content-encoding" not in headers:
            return held
        raise StartOverError("it sends another part than was asked for")
    if status == 416:
        raise StartOverError("it knows no such part of the file")
    if is_passing(status):
        raise asked_to_wait(status, headers)
    endpoint = httpx2.URL(hub.network.endpoint)
    if status in (401, 403):
        if (answer.url.host, answer.url.port) == (endpoint.host, endpoint.port):
            raise needs_token(file.hub_id, hub.network, f"status {status} for {file.path}")
        raise PassingFaultError(f"{answer.url.host} refuses with status {status}")  # its address is valid for a while
    raise MarigoldError(
        "network",
        f"{hub.network.endpoint} has no {file.path} of {file.hub_id} (status {status}): check the endpoint.",
        details=str(answer.url.copy_with(query=None)),
    )


class _Pace:
    """Watches that a server does not merely drip."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._since, self._bytes = time.monotonic(), 0

    def keep(self, count: int) -> None:
        """Raises TimeoutError: too little came in the last while."""
        self._bytes += count
        elapsed = time.monotonic() - self._since
        if elapsed > self._patience.stall_s:
            if self._bytes < elapsed * self._patience.least_bytes_per_s:
                raise TimeoutError
            self._since, self._bytes = time.monotonic(), 0


def _write(target: FileIO, piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[target.write(rest) :]


def _length(part: Path) -> int:
    try:
        return part.stat().st_size
    except OSError:
        return 0
