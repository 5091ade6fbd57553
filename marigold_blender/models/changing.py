# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock under which the models folder is changed: one download, deletion or move at a time, of all Blenders."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import MarigoldError
from ..file_lock import try_lock
from .whole_files import cannot_write

WAIT_STEP_S = 0.1
BRIEFLY_S = 1.0


@contextlib.contextmanager
def changing(models: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock of a models folder while the block runs; makes the folder.

    Args:
        waiting: called again and again while another program holds it, and raises to give up; None: wait a second.

    Raises:
        MarigoldError: another program is changing it (`cannot_write`), or it cannot be written (`cannot_write`).
    """
    try:
        models.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(models / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise cannot_write(models, error) from error
    try:
        until = time.monotonic() + BRIEFLY_S
        while not _locked(descriptor):
            if waiting:
                waiting()
            elif time.monotonic() > until:
                raise MarigoldError(
                    "cannot_write", f"Another program is changing the models in “{models}”: wait until it is through."
                )
            time.sleep(WAIT_STEP_S)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        return try_lock(descriptor)
    except OSError:
        return True  # some network disks know no locks: there a user keeps to one Blender at a time
