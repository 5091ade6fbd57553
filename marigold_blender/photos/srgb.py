# SPDX-License-Identifier: GPL-3.0-or-later
"""sRGB's transfer curve and its inverse (IEC 61966-2-1). Called wherever display values and light meet."""

from __future__ import annotations

import numpy as np


def encode_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear light to display values in [0, 1], clipped, float32."""
    linear = linear.clip(0.0, 1.0)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055).astype(np.float32)


def decode_srgb(display: np.ndarray) -> np.ndarray:
    """Display values (uint8, or float in [0, 1]) to linear light, float32."""
    if display.dtype == np.uint8:
        return decode_srgb(np.arange(256, dtype=np.float32) / np.float32(255.0))[display]
    return np.where(display <= 0.04045, display / 12.92, ((display + 0.055) / 1.055) ** 2.4).astype(np.float32)
