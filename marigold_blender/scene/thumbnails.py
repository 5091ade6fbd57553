# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pictures of depth and uncertainty for the sidebar, kept as the data-blocks' own previews: they are saved along.

Called by `depth_image.load_depth`; panels show `image.preview.icon_id`.
"""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from .images import array_from_image

LONG_EDGE = 256


def show_picture(image: bpy.types.Image, path: Path | str) -> None:
    """Make the picture in a file the thumbnail of a data-block."""
    picture = bpy.data.images.load(str(path), check_existing=False)
    try:
        width, height = picture.size
        if width and height:
            scale = LONG_EDGE / max(width, height)
            if scale < 1:
                picture.scale(max(1, round(width * scale)), max(1, round(height * scale)))
            set_thumbnail(image, array_from_image(picture))
    finally:
        bpy.data.images.remove(picture)


def show_values(image: bpy.types.Image) -> None:
    """Make a data-block's own values its thumbnail, the largest of them white."""
    values = array_from_image(image)[..., :3]
    step = -(-max(values.shape[:2]) // LONG_EDGE)
    small = values[::step, ::step]
    grey = np.clip(small / max(float(np.quantile(small, 0.99)), 1e-6), 0.0, 1.0)
    set_thumbnail(image, np.dstack([grey, np.ones(grey.shape[:2], np.float32)]))


def set_thumbnail(image: bpy.types.Image, pixels: np.ndarray) -> None:
    """Args: pixels: [H, W, 4] float, rows top to bottom, as shown on the screen."""
    preview = image.preview_ensure()
    height, width = pixels.shape[:2]
    preview.image_size = (width, height)
    preview.image_pixels_float.foreach_set(np.ascontiguousarray(pixels[::-1], np.float32).ravel())
