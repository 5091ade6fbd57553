# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo in memory, as `read.read_photo` gives it to the worker."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..record import SourceCamera


@dataclass(frozen=True)
class Photo:
    """Upright, display-referred pixels of a photo, and what its file says of the camera.

    Attributes:
        pixels: [H, W, 3], sRGB-encoded: uint8, or float32 in [0, 1] where the file holds more than 8 bits.
        valid: [H, W] bool, False where the photo is transparent; None where it is opaque all over.
        camera: from the photo's metadata.
        path: the file as given.
        shows_as_is: whether Blender, loading the file by itself, shows exactly these pixels.
        alpha: [H, W] float32 in [0, 1], not multiplied into the pixels; None where the photo is opaque all over.
    """

    pixels: np.ndarray
    valid: np.ndarray | None
    path: Path
    camera: SourceCamera = field(default_factory=SourceCamera)
    shows_as_is: bool = False
    alpha: np.ndarray | None = None

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])


def pixels_sha256(photo: Photo) -> str:
    """Hash of what is seen: the upright pixels and the transparent areas, whatever the file's format or name."""
    digest = hashlib.sha256(f"{photo.pixels.shape}{photo.pixels.dtype}".encode())
    digest.update(np.ascontiguousarray(photo.pixels).data)
    if photo.valid is not None:
        digest.update(np.packbits(photo.valid).data)
    return digest.hexdigest()
