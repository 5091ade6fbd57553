# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends a process with everything it has started. Used by `installer`."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import Any


def kill_tree(
    process: subprocess.Popen[bytes], job_object: Any, platform: str = sys.platform, kernel32: Any = None
) -> None:
    """Kill it and its descendants, and leave no zombie.

    Args:
        process: started with `lifetime.popen_options`: on POSIX it leads a session of its own.
        job_object: what `lifetime.tie_to_us` gave: on Windows it holds the descendants too.
    """
    if platform == "win32":
        if kernel32 is None:
            import ctypes

            kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]
        kernel32.TerminateJobObject(job_object, 1)
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # all of it has ended
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
