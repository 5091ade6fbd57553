# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves all models to another folder, on this disk or another. Called by the worker and the command line.

Everything is first linked (on one disk, at once) or copied and compared (minutes), then the new folder is chosen, then
the old files are deleted: a move can be killed at any moment, and no model is ever out of reach.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import MarigoldError
from .catalogue import CATALOGUE
from .changing import changing
from .folders import checked_folder, default_models_folder, leave_folder, left_folder, models_folder
from .manifest import Manifest, is_in_place, read_manifest, write_manifest
from .sharing import can_link, put_by_link_or_copy, remove_temporary
from .status import forget_statuses
from .whole_files import cannot_write

PARTS = ".parts"
LOCAL_MODELS = "local_models.json"
Report = Callable[[str, int, int], None]


def move_models_folder(folder: str | Path, report: Report, check: Callable[[], None]) -> Path:
    """Move the models to `folder` (empty: the default one), and look for them there from now on.

    Args:
        report: told of the stages `waiting` and `copying` (bytes).
        check: called often; raises to stop, which leaves everything where it was.

    Returns:
        The new folder.

    Raises:
        MarigoldError: it cannot take them (`bad_input`, `cannot_write`), or what `check` raises.
    """
    source = models_folder()
    target = checked_folder(folder or default_models_folder())
    if target == source:
        return target
    if target.is_relative_to(source) or source.is_relative_to(target):
        raise MarigoldError("bad_input", f"“{target}” and “{source}” lie in each other: choose a folder apart from it.")

    def waiting() -> None:
        report("waiting", 0, 1)
        check()

    with changing(source, waiting), changing(target, waiting):
        _put_all(source, target, report, check)
        leave_folder(source, target)
        forget_statuses()
    finish_move()
    return target


def finish_move() -> None:
    """Delete what a move has left in the old folder, also of a move that was killed before it came to this."""
    old = left_folder()
    if old is None:
        return
    for name in CATALOGUE:
        shutil.rmtree(old / name, ignore_errors=True)
    shutil.rmtree(old / PARTS, ignore_errors=True)
    for name in (LOCAL_MODELS, ".lock"):
        (old / name).unlink(missing_ok=True)
    if old.is_dir() and not any(old.iterdir()):  # whatever else lies there is not ours
        old.rmdir()
    if not any((old / name).is_dir() for name in CATALOGUE):  # else a file is in use: at the next occasion
        leave_folder(None, models_folder())


@dataclass(frozen=True)
class _Piece:
    """A file on its way; the digest is empty where none is known: an unfinished download, a model put there by hand."""

    old: Path
    new: Path
    bytes: int
    digest: str = ""


def _put_all(source: Path, target: Path, report: Report, check: Callable[[], None]) -> None:
    manifests = {name: manifest for name in CATALOGUE if (manifest := read_manifest(source / name))}
    for name in CATALOGUE:
        remove_temporary(target / name)
    placed: dict[str, Path] = {}  # by digest: what models share is copied once
    pieces = list(_pieces(source, target, manifests))
    for piece in [piece for piece in pieces if _is_there(piece)]:
        placed[piece.digest] = piece.new
        pieces.remove(piece)
    total = sum(piece.bytes for piece in {piece.digest or piece.old: piece for piece in pieces}.values())
    _check_room(target, total, pieces)
    done = 0

    def step(count: int) -> None:
        nonlocal done
        check()
        done += count
        report("copying", min(done, total), total)

    try:
        for piece in pieces:
            old = placed.get(piece.digest, piece.old)
            if put_by_link_or_copy(old, piece.new, piece.digest, step) and piece.digest:
                placed[piece.digest] = piece.new  # a damaged file is not taken along
    except OSError as error:
        raise cannot_write(target, error) from error
    for name, manifest in manifests.items():  # last: it makes the files a model
        write_manifest(target / name, manifest)


def _pieces(source: Path, target: Path, manifests: Mapping[str, Manifest]) -> Iterator[_Piece]:
    for name in CATALOGUE:
        if manifest := manifests.get(name):
            for file in manifest.files:
                if is_in_place(source / name, file):
                    yield _Piece(source / name / file.path, target / name / file.path, file.bytes, file.digest)
        else:
            yield from (_without_digest(path, source, target) for path in (source / name).rglob("*") if path.is_file())
    for path in [*(source / PARTS).glob("*.part"), source / LOCAL_MODELS]:
        if path.is_file():
            yield _without_digest(path, source, target)


def _without_digest(path: Path, source: Path, target: Path) -> _Piece:
    return _Piece(path, target / path.relative_to(source), path.stat().st_size)


def _is_there(piece: _Piece) -> bool:
    """Whether an interrupted move has brought it already."""
    return bool(piece.digest) and piece.new.is_file() and piece.new.stat().st_size == piece.bytes


def _check_room(target: Path, total: int, pieces: Sequence[_Piece]) -> None:
    if pieces and can_link(pieces[0].old, target):
        return
    free = shutil.disk_usage(target).free
    if total > free:
        raise MarigoldError(
            "cannot_write",
            f"“{target}” has {free / 1e9:.1f} GB free and the models need {total / 1e9:.1f} GB: make room there, or "
            "choose another folder.",
        )
