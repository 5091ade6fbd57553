# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns a scene-linear render into the 8-bit sRGB picture that a camera with automatic exposure would give."""

from __future__ import annotations

import numpy as np


def develop(linear: np.ndarray, brightness: float) -> np.ndarray:
    """Expose so that the mean display value is `brightness`, then encode (Blender's view transform *Standard*).

    Args:
        linear: [H, W, 3] scene-linear, Rec.709.
        brightness: target mean of the displayed picture, 0..1.

    Returns:
        [H, W, 3] uint8.
    """
    linear = np.nan_to_num(np.maximum(linear, 0), posinf=1e3)
    sample = linear[::3, ::3]
    low, high = -12.0, 12.0  # stops
    for _ in range(24):
        middle = (low + high) / 2
        if encode_srgb(sample * 2.0**middle).mean() < brightness:
            low = middle
        else:
            high = middle
    return (encode_srgb(linear * 2.0**low) * 255 + 0.5).astype(np.uint8)


def is_dark(picture: np.ndarray, brightness: float) -> bool:
    """Whether no exposure could show anything: a camera in a closed, unlit place."""
    return bool(picture.mean() < 255 * brightness / 2)


def encode_srgb(linear: np.ndarray) -> np.ndarray:
    """Scene-linear to display values in 0..1, clipped (IEC 61966-2-1)."""
    clipped = np.clip(linear, 0, 1)
    return np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)
