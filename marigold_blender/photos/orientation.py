# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns pixels upright as EXIF's orientation tag asks. Called by `display_referred`."""

from __future__ import annotations

from typing import Any

import numpy as np


def read_orientation(value: Any) -> int:
    """EXIF's orientation, 1 to 8; anything else counts as upright."""
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """The pixels [H, W] or [H, W, C] turned and mirrored so that the scene stands upright.

    The tag says where the stored first row and column belong (Exif 2.32, table 6): 6 is a camera held upright that
    stored its rows from right to left.
    """
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
