# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that other programs have already fetched from the hub: its own cache on this computer. Used by downloads.

Only proposed here: every file's hash is compared before it is taken.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from .manifest import ModelFile

HEX_DIGEST = {64: "sha256", 40: "git"}


def hub_cache_folder() -> Path:
    """Where huggingface_hub keeps what it fetches (HF_HUB_CACHE, HF_HOME)."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = Path(os.environ.get("HF_HOME") or cache / "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()


def cached_copies(file: ModelFile) -> list[Path]:
    """Files of the cache that are named and as long as this one: of any repository, since contents are shared."""
    cache = hub_cache_folder()
    name = file.digest.partition(":")[2]
    found = [*cache.glob(f"models--*/blobs/{name}"), *_repository(cache, file.hub_id).glob(f"snapshots/*/{file.path}")]
    return [path for path in dict.fromkeys(path.resolve() for path in found) if _is_as_long(path, file.bytes)]


def cached_snapshot(hub_id: str, revision: str) -> tuple[str, dict[str, tuple[int, str]]] | None:
    """What the cache has of a repository, for a computer without a network.

    Args:
        revision: a commit; empty: the newest that was fetched.

    Returns:
        The commit, and size and digest by path (the cache names files by their hashes); None if it has nothing.
    """
    repository = _repository(hub_cache_folder(), hub_id)
    try:
        commit = revision or (repository / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    files: dict[str, tuple[int, str]] = {}
    snapshot = repository / "snapshots" / commit
    for path in (*snapshot.glob("*"), *snapshot.glob("*/*")):
        blob = path.resolve().name
        if path.is_file() and len(blob) in HEX_DIGEST and re.fullmatch("[0-9a-f]+", blob):
            digest = f"{HEX_DIGEST[len(blob)]}:{blob}"
            files[path.relative_to(snapshot).as_posix()] = (path.stat().st_size, digest)
    return (commit, files) if files else None


def _repository(cache: Path, hub_id: str) -> Path:
    return cache / f"models--{hub_id.replace('/', '--')}"


def _is_as_long(path: Path, size: int) -> bool:
    try:
        return path.is_file() and path.stat().st_size == size
    except OSError:
        return False
