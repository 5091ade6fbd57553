# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the upright sRGB copy of a photo that Blender shows where the file itself would look different.

Called by the worker.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ..depth_files.replacing import replacing
from .photo import Photo


def write_upright_copy(photo: Photo, path: Path) -> Path:
    """Write `photo` as an 8-bit sRGB PNG, with alpha where parts of it are transparent.

    Raises:
        MarigoldError: the file cannot be written (`cannot_write`).
    """
    pixels = photo.pixels
    if pixels.dtype != np.uint8:
        pixels = (pixels * 255.0).round().astype(np.uint8)
    if photo.valid is not None:
        alpha = np.where(photo.valid, 255, 0).astype(np.uint8)
        pixels = np.concatenate([pixels, alpha[..., None]], axis=-1)
    with replacing(path.parent) as files:
        Image.fromarray(pixels).save(files.new(path), format="PNG", compress_level=1)
    return path
