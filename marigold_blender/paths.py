# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things lie on disk when nobody says otherwise. Standard library only; used by every part that keeps files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

NAME = "marigold-blender"


def user_folder() -> Path:
    """The folder of what must outlive the extension: runtime, models, accepted licences. One for each user.

    All Blender versions and the `marigold` command share it, and uninstalling the extension leaves it alone.
    `MARIGOLD_HOME` names another.
    """
    if named := os.environ.get("MARIGOLD_HOME"):
        return Path(named).expanduser().absolute()
    if sys.platform == "win32":
        return _local_app_data() / NAME
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support" / NAME
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / NAME


def default_cache() -> Path:
    """`MARIGOLD_CACHE`, else the user's cache folder of this platform."""
    if named := os.environ.get("MARIGOLD_CACHE"):
        return Path(named).expanduser().absolute()
    if sys.platform == "win32":
        return _local_app_data() / NAME / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches" / NAME
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / NAME


def _local_app_data() -> Path:
    return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
