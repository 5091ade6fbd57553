# SPDX-License-Identifier: GPL-3.0-or-later
"""Where models lie: one folder for each user, which all Blender versions and the `marigold` command share.

The choice of another folder stands in the user's folder, not in Blender's preferences, so that all agree on it.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from ..errors import MarigoldError
from ..paths import user_folder
from .whole_files import cannot_write, read_object, write_whole

# Windows without long paths: 260 characters with the end, of which the longest name inside takes 84
WINDOWS_ROOM = 259 - 84


def models_folder() -> Path:
    """`MARIGOLD_MODELS`, else the chosen folder, else `models` in the user's folder."""
    if named := os.environ.get("MARIGOLD_MODELS"):
        return Path(named).expanduser().absolute()
    chosen = read_object(_choice()).get("folder")
    return Path(chosen) if isinstance(chosen, str) and chosen else default_models_folder()


def default_models_folder() -> Path:
    return user_folder() / "models"


def is_pinned_by_environment() -> bool:
    """Whether `MARIGOLD_MODELS` decides, so that choosing another folder would change nothing."""
    return bool(os.environ.get("MARIGOLD_MODELS"))


def choose_models_folder(folder: str | Path) -> Path:
    """Look for models in another folder from now on; what lies in the old one stays there (`moving` moves it).

    Args:
        folder: absolute; empty: the default one.

    Raises:
        MarigoldError: it cannot be a models folder (`bad_input`, `cannot_write`).
    """
    target = checked_folder(folder if str(folder) else default_models_folder())
    leave_folder(left_folder(), target)
    return target


def leave_folder(old: Path | None, new: Path) -> None:
    """Look for models in `new` from now on, and remember what is still to be deleted in `old`.

    Raises:
        MarigoldError: the user's folder cannot be written (`cannot_write`).
    """
    chosen = "" if new == default_models_folder() else str(new)
    write_whole(_choice(), json.dumps({"folder": chosen, "left": str(old or "")}).encode())


def left_folder() -> Path | None:
    """The folder that models were moved out of and whose old files are still to be deleted."""
    left = read_object(_choice()).get("left")
    return Path(left) if isinstance(left, str) and left and Path(left) != models_folder() else None


def checked_folder(folder: str | Path) -> Path:
    """The folder, made if it is missing, once it is certain that models can be kept in it.

    Raises:
        MarigoldError: it is relative, too deep for Windows, a file (`bad_input`) or not writable (`cannot_write`).
    """
    if is_pinned_by_environment():
        raise MarigoldError("bad_input", "MARIGOLD_MODELS names the models folder: change it there.")
    path = Path(folder).expanduser()
    if not path.is_absolute():
        raise MarigoldError("bad_input", f"“{folder}” is not a whole path: choose a folder with its drive or root.")
    if sys.platform == "win32" and len(str(path)) > WINDOWS_ROOM:
        raise MarigoldError(
            "bad_input",
            f"The path “{path}” is {len(str(path)) - WINDOWS_ROOM} characters too long for models on Windows: choose a "
            "folder nearer to the drive, such as C:\\marigold.",
        )
    if path.exists() and not path.is_dir():
        raise MarigoldError("bad_input", f"“{path}” is a file: choose a folder for models.")
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except OSError as error:
        raise cannot_write(path, error) from error


def _choice() -> Path:
    return user_folder() / "models_folder.json"
