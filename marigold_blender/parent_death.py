# SPDX-License-Identifier: GPL-3.0-or-later
"""Linux: a process that asks to die with its parent, however that one dies. Used by the worker and its renderers."""

from __future__ import annotations

import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Be killed when the process with this id, which must be our parent, dies; elsewhere than on Linux: nothing."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        os.kill(parent, 0)
    except ProcessLookupError:  # it died before we asked
        os._exit(1)
