# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock between processes: one at a time changes a folder that all Blenders share. Used by models and runtime.

It is the system's, on an open file: it is gone with the process that held it, however that one ended.
"""

from __future__ import annotations

import errno
import sys

BUSY = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock an open file without waiting; False if another process holds it. Closing the file gives it back.

    Args:
        shared: only look whether it could be locked; others may look at the same time (not on Windows).

    Raises:
        OSError: files cannot be locked on this disk.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in BUSY:
            return False
        raise
    return True
