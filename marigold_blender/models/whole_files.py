# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads and writes the files of this part: whole or not at all. Standard library only."""

from __future__ import annotations

import errno
import json
import os
import secrets
import sys
import time
from pathlib import Path
from typing import Any

from ..errors import MarigoldError

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
RENAME_TRIES = 10
RENAME_WAIT_S = 0.1


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty if it is not there or is not one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_whole(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write beside and rename, so that no reader and no crash ever sees half a file.

    Args:
        mode: who may read it, where the system knows such a thing.

    Raises:
        MarigoldError: it cannot be written (`cannot_write`).
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            put_in_place(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def put_in_place(beside: Path, path: Path) -> None:
    """Rename a finished file over another; on Windows it waits for a virus scanner or a reader that holds one."""
    for left in reversed(range(RENAME_TRIES)):
        try:
            os.replace(beside, path)
            return
        except PermissionError:
            if sys.platform != "win32" or not left:
                raise
            time.sleep(RENAME_WAIT_S)


def cannot_write(path: Path, error: OSError) -> MarigoldError:
    """One sentence on a file or folder that cannot be written, moved or deleted."""
    if error.errno in DISK_FULL:
        message = f"There is no room left on the disk of “{path}”: free some, or choose another models folder."
    else:
        message = (
            f"“{path}” cannot be written ({error.strerror or error}): close what uses it, or choose another folder."
        )
    return MarigoldError("cannot_write", message, details=str(error))
