# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things lie on disk when nobody says otherwise. Standard library only; used by the command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def default_cache() -> Path:
    """`MARIGOLD_CACHE`, else the user's cache folder of this platform."""
    if named := os.environ.get("MARIGOLD_CACHE"):
        return Path(named).expanduser().absolute()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library/Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "marigold-blender"
