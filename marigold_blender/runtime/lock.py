# SPDX-License-Identifier: GPL-3.0-or-later
"""One installer at a time in a folder, whatever starts it. Used by `install` and `status`.

The lock is the system's, on an open file: it is gone with the process that held it, however that one ended.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import MarigoldError
from ..file_lock import try_lock

WAIT_STEP_S = 0.1


@contextlib.contextmanager
def locked(path: Path, wait_s: float, check: Callable[[], None]) -> Iterator[None]:
    """Hold the lock while the block runs.

    Args:
        wait_s: how long to wait for another holder; one that was just cancelled needs a moment to clean up.
        check: called while waiting; raises to give up.

    Raises:
        MarigoldError: another process holds it (`bad_input`), or files cannot be locked there (`cannot_write`).
    """
    until = time.monotonic() + wait_s
    while (descriptor := _locked_descriptor(path)) is None:
        if time.monotonic() >= until:
            raise MarigoldError(
                "bad_input",
                "Another Blender or terminal is working on this runtime: wait until it has finished.",
            )
        check()
        time.sleep(WAIT_STEP_S)
    try:
        yield
    finally:
        os.close(descriptor)


def _locked_descriptor(path: Path) -> int | None:
    """The lock file, open and locked; None if another holds it, or removed it (with the runtime) just now."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if _try_lock(descriptor, path) and os.path.samestat(os.fstat(descriptor), os.stat(path)):
            return descriptor
    except FileNotFoundError:
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def is_held(path: Path) -> bool:
    """Whether some process holds the lock now."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        return not _try_lock(descriptor, path, shared=True)
    except MarigoldError:
        return False
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, path: Path, *, shared: bool = False) -> bool:
    try:
        return try_lock(descriptor, shared=shared)
    except OSError as error:
        raise MarigoldError(
            "cannot_write",
            f"Files in “{path.parent}” cannot be locked ({error.strerror}): choose a runtime folder on a local disk.",
            fix="preferences.addon_show",
        ) from error
