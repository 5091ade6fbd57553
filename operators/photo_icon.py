# SPDX-License-Identifier: GPL-3.0-or-later
"""A thumbnail of the photo that is chosen by its file, made by Blender in the background. Used by the Source panel."""

from pathlib import Path
from typing import Any

import bpy
import bpy.utils.previews

_previews: Any = None


def photo_icon(path: Path) -> int:
    """The icon of a picture file that is there; it is empty until Blender has read the file."""
    global _previews
    if _previews is None:
        _previews = bpy.utils.previews.new()
    name = str(path)
    if name not in _previews:
        _previews.clear()  # the photo before
        _previews.load(name, name, "IMAGE")
    return _previews[name].icon_id


def forget() -> None:
    global _previews
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
        _previews = None
