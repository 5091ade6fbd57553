# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes files beside their places and puts them there together. Called by whatever writes results of the worker."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import MarigoldError

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
TEMPORARY = re.compile(r"\.[0-9a-f]{8}\.(?:old\.)?(.+)")  # as `Replacement` names them
NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


class Replacement:
    """Files on their way: `new` gives the name to write to, `gone` marks what shall not be there any more."""

    def __init__(self) -> None:
        self._token = secrets.token_hex(4)
        self._new: dict[Path, Path] = {}
        self._gone: list[Path] = []

    def new(self, path: Path) -> Path:
        """The temporary name, in the same folder and with the same suffix, that becomes `path` at the end."""
        self._new[path] = path.with_name(f".{self._token}.{path.name}")
        return self._new[path]

    def gone(self, path: Path) -> None:
        """Have `path`, left by an earlier result, removed at the end."""
        self._gone.append(path)

    def commit(self) -> None:
        """Put everything in its place; where one file refuses, all old files come back."""
        undo: list[tuple[Path, Path]] = []  # renames that lead back, in the order they were made necessary
        set_aside: list[Path] = []
        try:
            for path in [*self._new, *self._gone]:
                if path.is_dir():
                    raise IsADirectoryError(errno.EISDIR, "a folder stands in the way", str(path))
                if path.exists():
                    old = path.with_name(f".{self._token}.old.{path.name}")
                    path.rename(old)
                    set_aside.append(old)
                    undo.append((old, path))
                if path in self._new:
                    self._new[path].rename(path)
                    undo.append((path, self._new[path]))
        except OSError:
            for now, before in reversed(undo):
                now.replace(before)
            raise
        for old in set_aside:
            _remove(old)

    def discard(self) -> None:
        for temporary in self._new.values():
            _remove(temporary)


@contextmanager
def replacing(folder: Path) -> Iterator[Replacement]:
    """A block that writes files into `folder`: at its end all of them appear, or none and the old ones are untouched.

    Makes the folder. Temporary names begin with a dot.

    Raises:
        MarigoldError: something in the block or at its end could not be written (`cannot_write`).
    """
    files = Replacement()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield files
        files.commit()
    except OSError as error:
        raise _cannot_write(folder, error) from error
    finally:
        files.discard()


@contextmanager
def replacing_one(path: Path) -> Iterator[Path]:
    """A block that writes one file under the name it is given: at its end the file is there, in one step.

    Unlike with `replacing` there is no moment at which neither the old file nor the new one has its name, which matters
    for notes that are written again and again.

    Raises:
        MarigoldError: it cannot be written (`cannot_write`).
    """
    beside = path.with_name(f".{secrets.token_hex(4)}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        beside.replace(path)
    except OSError as error:
        raise _cannot_write(path.parent, error) from error
    finally:
        _remove(beside)


def sweep(folder: Path, is_ours: Callable[[str], bool]) -> None:
    """Remove what a killed process left of files that were being written.

    Args:
        is_ours: whether a file of this name is written by the caller, and by nobody else at this time.
    """
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        match = TEMPORARY.fullmatch(entry.name)
        if match and is_ours(match[1]):
            _remove(entry)


def _remove(path: Path) -> None:
    """Remove a temporary file; one that another program holds open stays, which harms nothing."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        os.truncate(path, 0)


def _cannot_write(folder: Path, error: OSError) -> MarigoldError:
    if error.errno in DISK_FULL:
        message = f"There is no room left on the disk of {folder}: free some, or choose another folder."
    elif error.errno in NOT_ALLOWED:
        message = f"{folder} may not be written to: choose another folder."
    else:
        message = f"The files cannot be written to {folder} ({error.strerror or error}): choose another folder."
    return MarigoldError("cannot_write", message, details=str(error))
