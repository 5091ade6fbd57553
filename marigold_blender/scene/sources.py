# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what Blender holds as pixels (image data-blocks, the Render Result) for the worker to read.

Called by `operators/sources.py`. A data-block goes as its pixels, since they are what the user sees: Blender applies
neither EXIF orientation nor ICC profiles, and the image may have been painted on or never saved.
"""

from pathlib import Path

import bpy
import numpy as np

from ..errors import MarigoldError
from ..picture_size import check_size

RENDER_FILE = "Render.png"


def write_image_pixels(image: bpy.types.Image, folder: Path) -> Path:
    """Write an image as `source.npy`: [H, W, 4], rows top to bottom, straight alpha.

    uint8 for 8-bit images, display-referred as they are; float32 for float images, scene-linear. The worker knows
    them apart by that.

    Raises:
        MarigoldError: the image has no pixels, or too many or too few (`bad_input`).
    """
    width, height = image.size
    if not image.has_data and not width:
        image.pixels  # noqa: B018 - the access makes Blender load the file
        width, height = image.size
    if width == 0 or height == 0:
        raise MarigoldError("bad_input", f"The image “{image.name}” has no pixels: reload it, or choose another.")
    check_size(f"“{image.name}”", width, height)
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    rows = pixels.reshape(height, width, 4)[::-1]
    if not image.is_float:
        rows = (rows * 255.0 + 0.5).astype(np.uint8)
    path = folder / "source.npy"
    np.save(path, np.ascontiguousarray(rows))
    return path


def write_render_result(image: bpy.types.Image, scene: bpy.types.Scene, folder: Path) -> Path:
    """Write the Render Result as 16-bit `Render.png` through the scene's view transform: as the user sees it.

    Raises:
        MarigoldError: nothing has been rendered yet (`bad_input`).
    """
    path = folder / RENDER_FILE
    settings = scene.render.image_settings
    kept = {name: getattr(settings, name) for name in _format_names(settings)}
    try:
        if hasattr(settings, "media_type"):  # 5.0: decides which file formats there are
            settings.media_type = "IMAGE"
        settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGBA", "16"
        image.save_render(str(path), scene=scene)
    except RuntimeError as error:
        raise MarigoldError("bad_input", "There is no render yet: render the scene (F12), then try again.") from error
    finally:
        for name, value in kept.items():
            setattr(settings, name, value)
    if not path.is_file():
        raise MarigoldError("bad_input", "There is no render yet: render the scene (F12), then try again.")
    return path


def _format_names(settings: bpy.types.ImageFormatSettings) -> list[str]:
    # in the order in which they may be set: each decides which values the next can have
    return [n for n in ("media_type", "file_format", "color_mode", "color_depth") if hasattr(settings, n)]
