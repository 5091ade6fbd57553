# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo from the pixels of a Blender image, as `scene.sources` writes them. Called by the worker."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import MarigoldError
from ..record import SourceCamera
from .decoding_errors import DECODING_ERRORS
from .exif_camera import camera_from_exif
from .float_file import FloatPixels
from .photo import Photo
from .scene_linear import photo_from_light

OPAQUE = 0.5


def read_pixels(path: Path, metadata: str) -> Photo:
    """Read a `.npy` of [H, W, 4]: uint8 are display values, float32 are scene-linear; straight alpha.

    Args:
        metadata: the file that the image was loaded from, whose EXIF names the camera; empty or unreadable = unknown.

    Raises:
        MarigoldError: wholly transparent (`bad_input`).
    """
    stored = np.load(path)
    height, width = stored.shape[:2]
    camera = _camera(Path(metadata), width, height) if metadata else SourceCamera()
    if stored.dtype == np.uint8:
        valid = stored[..., 3] >= OPAQUE * 255
        photo = Photo(np.ascontiguousarray(stored[..., :3]), None if valid.all() else valid, path, camera)
    else:
        # straight alpha: given as none, lest it be divided out, and looked at here
        valid = stored[..., 3] >= OPAQUE
        light = photo_from_light(path, FloatPixels(stored[..., :3].copy(), None, scene_linear=True))
        photo = Photo(light.pixels, None if valid.all() else valid, path, camera)
    if photo.valid is not None and not photo.valid.any():
        raise MarigoldError("bad_input", "The image is transparent all over: there is nothing to see.")
    return photo


def _camera(file: Path, width: int, height: int) -> SourceCamera:
    try:
        with Image.open(file) as image:
            return camera_from_exif(image.getexif(), width, height)
    except DECODING_ERRORS:
        return SourceCamera()  # the pixels are all that is needed
