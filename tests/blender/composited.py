"""Renders a scene's compositing to an array; used by the tests of the compositor passes."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np


def composite(scene: bpy.types.Scene) -> np.ndarray:
    """What the scene renders, [H, W, 4] float32, scene-linear, rows top to bottom."""
    render = scene.render
    if hasattr(render, "compositor_device"):
        render.compositor_device = "CPU"  # 5.2's default needs a graphics card
    settings = render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_depth, settings.color_mode = "OPEN_EXR", "32", "RGBA"
    with tempfile.TemporaryDirectory() as folder:
        render.filepath = str(Path(folder) / "out.exr")
        with quiet():
            bpy.ops.render.render(write_still=True, scene=scene.name)
        image = bpy.data.images.load(render.filepath)
        image.alpha_mode = "CHANNEL_PACKED"
        image.colorspace_settings.name = "Non-Color"
        width, height = image.size
        pixels = np.empty(width * height * 4, np.float32)
        image.pixels.foreach_get(pixels)
        bpy.data.images.remove(image)
    return pixels.reshape(height, width, 4)[::-1]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Send Blender's own prints to nowhere."""
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
