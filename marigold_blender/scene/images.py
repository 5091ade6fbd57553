# SPDX-License-Identifier: GPL-3.0-or-later
"""Image data-blocks and arrays: the only place where Blender's bottom-up rows meet our top-down ones.

Every image made here is packed, so that a .blend depends on no file beside it and not on the cache.
"""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from ..errors import MarigoldError


def array_from_image(image: bpy.types.Image) -> np.ndarray:
    """The pixels of an image as Blender holds them: [H, W, 4] float32, rows top to bottom."""
    width, height = image.size
    if width == 0 or height == 0:
        raise MarigoldError("bad_input", f"The image “{image.name}” has no pixels: its file is missing or damaged.")
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(height, width, 4)[::-1]


def load_image(path: Path | str, name: str, *, colourspace: str) -> bpy.types.Image:
    """A new image data-block of a file, packed with the file's own bytes.

    Raises:
        MarigoldError: Blender cannot read the file (`bad_input`).
    """
    try:
        image = bpy.data.images.load(str(path), check_existing=False)
    except RuntimeError as problem:
        raise MarigoldError("bad_input", f"“{path}” cannot be opened: is it there and readable?") from problem
    image.name = name
    image.colorspace_settings.name = colourspace
    image.alpha_mode = "CHANNEL_PACKED"  # colours as they are in the file, whatever its alpha says
    if image.size[0] == 0:
        bpy.data.images.remove(image)
        raise MarigoldError("bad_input", f"“{path}” is not an image that Blender can read.")
    image.pack()
    return image


def with_colourspace(image: bpy.types.Image, colourspace: str) -> bpy.types.Image:
    """A second data-block of the same packed file, read in another colour space."""
    second = image.copy()
    second.name = f"{image.name} {colourspace}"
    second.colorspace_settings.name = colourspace
    return second
