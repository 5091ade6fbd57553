# SPDX-License-Identifier: GPL-3.0-or-later
"""Embedded ICC profiles to sRGB, by LittleCMS. Called by `display_referred`."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
from PIL import Image, ImageCms

# A profile that changes no colour by more than this (of 255) is sRGB under another name.
SRGB_TOLERANCE = 2
SPACE_OF_MODE = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}


class ProfileToSrgb:
    """An embedded profile's way to sRGB."""

    def __init__(self, profile: ImageCms.ImageCmsProfile, mode: str) -> None:
        self.mode = mode
        self._transform = ImageCms.buildTransform(
            profile,
            _srgb(),
            mode,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )

    def apply(self, image: Image.Image) -> Image.Image:
        converted = ImageCms.applyTransform(image, self._transform)
        assert converted is not None  # None only in place
        return converted

    def changes_nothing(self) -> bool:
        """Whether the profile is sRGB itself, tried on a lattice of colours."""
        if self.mode != "RGB":
            return False
        levels = np.linspace(0, 255, 9).round().astype(np.uint8)
        lattice = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(27, 27, 3)
        moved = np.asarray(self.apply(Image.fromarray(lattice)), np.int16) - lattice
        return bool(np.abs(moved).max() <= SRGB_TOLERANCE)


def profile_to_srgb(icc: bytes | None, mode: str) -> ProfileToSrgb | None:
    """The way to sRGB of pixels in `mode` (RGB, L or CMYK), or None where there is nothing to change.

    A profile that is damaged or belongs to another kind of pixels is ignored, as image viewers do.
    """
    if not icc:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        if profile.profile.xcolor_space.strip() != SPACE_OF_MODE.get(mode):
            return None
        way = ProfileToSrgb(profile, mode)
        return None if way.changes_nothing() else way
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def float_to_srgb(way: ProfileToSrgb, pixels: np.ndarray) -> np.ndarray:
    """Colours of [H, W, 3] float32 in [0, 1] by a profile for RGB.

    LittleCMS through Pillow takes 8 bits. What rounding to them left over is added again behind the transform, so that
    gradients keep their steps; profiles are smooth enough for that to be right within half of one of 255 levels.
    """
    rounded = (pixels * 255.0).round().astype(np.uint8)
    converted = np.asarray(way.apply(Image.fromarray(rounded)), np.float32) / 255.0
    converted += pixels - rounded / np.float32(255.0)
    return converted.clip(0.0, 1.0)


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
