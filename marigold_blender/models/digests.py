# SPDX-License-Identifier: GPL-3.0-or-later
"""The hashes by which files are known to be whole. Used by downloads, checks and moves. Standard library only."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHUNK = 1 << 20


def new_digest(kind: str, size: int) -> Any:
    """A running hash.

    Args:
        kind: `sha256`, or `git`: what git names a file's content by, for which the size must be known.
    """
    if kind == "sha256":
        return hashlib.sha256()
    digest = hashlib.sha1(usedforsecurity=False)
    digest.update(b"blob %d\0" % size)
    return digest


def has_digest(path: Path, digest: str, step: Callable[[int], None]) -> bool:
    """Whether a file's content has this hash.

    Args:
        digest: `sha256:…` or `git:…`.
        step: called with the bytes of each piece that was read; may raise to stop.

    Raises:
        OSError: the file cannot be read.
    """
    kind, _, wanted = digest.partition(":")
    running = new_digest(kind, path.stat().st_size)
    with path.open("rb", buffering=0) as file:
        while piece := file.read(CHUNK):
            running.update(piece)
            step(len(piece))
    return bool(running.hexdigest() == wanted)
