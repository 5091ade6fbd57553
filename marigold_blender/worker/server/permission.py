# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this process may use the network: asked before every request, and while one is under way.

In the worker Blender's *Allow Online Access* decides (`main` passes it on), for the `marigold` command HF_HUB_OFFLINE.
"""

from __future__ import annotations

import os
import threading

from ...errors import MarigoldError

_given = threading.Event()


def give(allowed: bool) -> None:
    """Allow the use of the network, or forbid it from now on."""
    if allowed:
        _given.set()
    else:
        _given.clear()


def give_unless_offline() -> None:
    """Allow it unless the environment forbids it, as every tool of the hub's does."""
    offline = (os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or "").upper()
    give(offline not in ("1", "ON", "YES", "TRUE"))


def is_given() -> bool:
    return _given.is_set()


def check() -> None:
    """Raises MarigoldError: the network may not be used (`offline`)."""
    if not is_given():
        raise MarigoldError(
            "offline",
            "Online access is off, so nothing was sent: allow it in Blender's Preferences › System › Network "
            "(on the command line, unset HF_HUB_OFFLINE), and start the download again.",
        )
