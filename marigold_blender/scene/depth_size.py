# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a depth image is, also between the frames of a clip. Called by whatever needs its camera or its size."""

from __future__ import annotations

import json

import bpy


def depth_size(image: bpy.types.Image) -> tuple[int, int]:
    """Width and height in pixels.

    Blender says 0 of a sequence until something has shown a frame of it; the record knows.
    """
    width, height = image.size
    if width == 0 and image.marigold.record:
        record = json.loads(image.marigold.record)
        width, height = record["width"], record["height"]
    return width, height
