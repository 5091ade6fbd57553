# SPDX-License-Identifier: GPL-3.0-or-later
"""Ties the worker's life to ours, and lowers its priority. Called by `process.Worker` around `Popen`.

Three ways, since none covers every death: the worker reads end-of-file on stdin (everywhere), asks Linux for a signal
when its parent dies (`server/main.py`), and on Windows stands in a job object that closes with us.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

CREATE_NO_WINDOW = 0x08000000
BELOW_NORMAL_PRIORITY_CLASS = 0x00004000
JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE = 0x00002000
JOB_OBJECT_EXTENDED_LIMIT_INFORMATION_CLASS = 9


def popen_options(platform: str = sys.platform) -> dict[str, Any]:
    """Keyword arguments of `Popen`: no console window on Windows, no share in the terminal's Ctrl-C on POSIX."""
    if platform == "win32":
        return {"creationflags": CREATE_NO_WINDOW | BELOW_NORMAL_PRIORITY_CLASS}
    return {"start_new_session": True}


def tie_to_us(process: subprocess.Popen[bytes], platform: str = sys.platform, kernel32: Any = None) -> Any:
    """On Windows: a job object holding the process, which must be kept: closing it kills. Elsewhere None."""
    if platform != "win32":
        return None
    import ctypes

    if kernel32 is None:
        kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]
    kernel32.CreateJobObjectW.restype = ctypes.c_void_p
    job = ctypes.c_void_p(kernel32.CreateJobObjectW(None, None))
    # JOBOBJECT_EXTENDED_LIMIT_INFORMATION; only LimitFlags (offset 16 in the basic part) is not zero
    information = ctypes.create_string_buffer(144 if ctypes.sizeof(ctypes.c_void_p) == 8 else 112)
    ctypes.c_ulong.from_buffer(information, 16).value = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
    kernel32.SetInformationJobObject(
        job, JOB_OBJECT_EXTENDED_LIMIT_INFORMATION_CLASS, information, ctypes.sizeof(information)
    )
    kernel32.AssignProcessToJobObject(job, ctypes.c_void_p(int(process._handle)))  # type: ignore[attr-defined]
    return job
