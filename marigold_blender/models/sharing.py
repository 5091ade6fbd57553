# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts a file that is already on this computer in its place: by a hard link, so that it takes no space twice.

Marigold's models share their VAE and text encoder. NTFS, APFS and Linux' file systems link; where a disk cannot (exFAT)
the file is copied. Used by downloads and moves.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from .catalogue import CATALOGUE
from .digests import CHUNK, new_digest
from .manifest import ModelFile, is_in_place, read_manifest
from .whole_files import put_in_place


def copies_in(models: Path, wanted: ModelFile) -> list[Path]:
    """Files of the models in a folder that should have the same content; whether they do, their hash says."""
    found: list[Path] = []
    for name in CATALOGUE:
        if manifest := read_manifest(models / name):
            same = (file for file in manifest.files if file.digest == wanted.digest)
            whole = (file for file in same if file.path not in manifest.damaged and is_in_place(models / name, file))
            found += [models / name / file.path for file in whole]
    return found


def put_by_link_or_copy(source: Path, target: Path, digest: str, step: Callable[[int], None]) -> bool:
    """Put a file in another place; the old one stays.

    Args:
        digest: what its content should hash to, compared while copying; empty: nothing is known of it.
        step: called with the bytes of each piece that was copied; may raise to stop.

    Returns:
        False if the content differs; then nothing was put there.

    Raises:
        OSError: it cannot be read or written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with contextlib.suppress(OSError):
            os.link(source, beside)
            put_in_place(beside, target)
            return True
        if not _copied(source, beside, digest, step):
            return False
        put_in_place(beside, target)
        return True
    finally:
        beside.unlink(missing_ok=True)


def remove_temporary(folder: Path) -> None:
    """Delete what a killed copy has left in a model's folder; nobody else writes there while the lock is held."""
    for path in folder.rglob(".*"):
        if path.is_file():
            path.unlink(missing_ok=True)


def can_link(source: Path, folder: Path) -> bool:
    """Whether a file can stand in a folder as a hard link."""
    beside = folder / f".link-{secrets.token_hex(4)}"
    try:
        os.link(source, beside)
        beside.unlink()
    except OSError:
        return False
    return True


def _copied(source: Path, target: Path, digest: str, step: Callable[[int], None]) -> bool:
    kind, _, wanted = (digest or "sha256:").partition(":")
    with source.open("rb") as old, target.open("wb") as new:
        running = new_digest(kind, os.fstat(old.fileno()).st_size)
        while piece := old.read(CHUNK):
            running.update(piece)
            new.write(piece)
            step(len(piece))
        new.flush()
        os.fsync(new.fileno())
    return not wanted or bool(running.hexdigest() == wanted)
