# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps what was computed, so that asking again is instant and a crash loses nothing. Used by `estimate_job`.

One folder per result under `results/`, named by the hash of everything that decides the depth; it appears by a rename,
so it is whole or absent.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...errors import MarigoldError

KEEP_BYTES = 4 << 30
SIZES = "sizes.json"  # name -> bytes of each file of the result: what is cut short or missing is not used


def result_key(**deciding: Any) -> str:
    """The hash of everything that decides a result (JSON values by name)."""
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:32]


class ResultCache:
    """Results by key, the least recently used deleted beyond `keep_bytes`.

    Raises:
        MarigoldError: from every method that writes, when the folder cannot be written (`cannot_write`).
    """

    def __init__(self, folder: Path, keep_bytes: int = KEEP_BYTES) -> None:
        self._results = folder / "results"
        self._keep_bytes = keep_bytes

    def find(self, key: str) -> dict[str, Path] | None:
        """The files of a result by their kind, or None if it is absent or damaged."""
        entry = self._results / key
        try:
            sizes: dict[str, dict[str, Any]] = json.loads((entry / SIZES).read_text())
            files = {kind: entry / file["name"] for kind, file in sizes.items()}
            if any(files[kind].stat().st_size != file["bytes"] for kind, file in sizes.items()):
                return None
        except (OSError, ValueError, KeyError, TypeError):
            return None  # a miss: it is computed afresh
        with contextlib.suppress(OSError):  # a read-only cache still serves
            os.utime(entry)
        return files

    def store(self, key: str, write: Callable[[Path], Mapping[str, Path]]) -> dict[str, Path]:
        """Keep what `write` writes into the folder that it is given; returns the files where they now lie."""
        try:
            self._results.mkdir(parents=True, exist_ok=True)
            beside = Path(tempfile.mkdtemp(prefix=f".{key[:8]}-", dir=self._results))
        except OSError as error:
            raise MarigoldError(
                "cannot_write",
                f"The cache folder “{self._results.parent}” is not writable ({error.strerror}): choose another.",
            ) from error
        try:
            files = dict(write(beside))
            sizes = {k: {"name": f.name, "bytes": f.stat().st_size} for k, f in files.items()}
            (beside / SIZES).write_text(json.dumps(sizes))
            entry = self._results / key
            shutil.rmtree(entry, ignore_errors=True)  # damaged, or `find` would have served it
            beside.rename(entry)
        except OSError as error:
            raise MarigoldError(
                "cannot_write",
                f"The result could not be kept in “{self._results}” ({error.strerror}): free some space there.",
            ) from error
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        self._prune(keep=key)
        return {kind: entry / file.name for kind, file in files.items()}

    def _prune(self, keep: str) -> None:
        entries = []
        for entry in self._results.iterdir():
            with contextlib.suppress(OSError):  # another worker may be pruning too
                age = time.time() - entry.stat().st_mtime
                entries.append((age, sum(f.stat().st_size for f in entry.iterdir()), entry))
        left = sum(size for _, size, _ in entries)
        for age, size, entry in sorted(entries, reverse=True):
            unfinished = entry.name.startswith(".") and age > 3600
            if unfinished or (left > self._keep_bytes and entry.name != keep):
                shutil.rmtree(entry, ignore_errors=True)
                left -= size
