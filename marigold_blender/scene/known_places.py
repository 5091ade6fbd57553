# SPDX-License-Identifier: GPL-3.0-or-later
"""Places of a photo and the depth there, for `calibrating`; the points and lengths that a user has picked.

Places are (u, v), from (0, 0) bottom left to (1, 1) top right.
"""

from __future__ import annotations

import bpy
import numpy as np

from ..errors import MarigoldError
from ..geometry import known_distances
from .depth_image import DepthPixels, read_pixels
from .depth_size import depth_size


def add_point(image: bpy.types.Image, place: tuple[float, float], distance: float = 0.0) -> None:
    """Stores a point of the photo; its distance may be entered later.

    Raises:
        MarigoldError: it is outside of the photo, or masked out (`bad_input`).
    """
    depth_at(image, read_pixels(image), np.array([place]))
    point = image.marigold.known.points.add()
    point.place, point.distance = place, distance


def add_length(
    image: bpy.types.Image, start: tuple[float, float], end: tuple[float, float], length: float = 0.0
) -> None:
    """Stores a pair of points of the photo; how far they are apart may be entered later.

    Raises:
        MarigoldError: one is outside of the photo, or masked out (`bad_input`).
    """
    depth_at(image, read_pixels(image), np.array([start, end]))
    known = image.marigold.known.lengths.add()
    known.start, known.end, known.length = start, end, length


def depth_at(image: bpy.types.Image, pixels: DepthPixels, places: np.ndarray, *, leave_out: bool = False) -> np.ndarray:
    """Depth [N] at places of the photo [N, 2].

    Args:
        leave_out: NaN where depth is masked out, instead of an error.

    Raises:
        MarigoldError: a place is outside of the photo, or masked out there (`bad_input`).
    """
    for u, v in places:
        if not (0 <= u <= 1 and 0 <= v <= 1):
            raise MarigoldError("bad_input", f"The place ({u:g}, {v:g}) is outside of the photo: both are 0 to 1.")
    depth = known_distances.depth_at(pixels.depth, pixels.valid, in_pixels(image, places))
    for (u, v), found in zip(places, depth, strict=True):
        if np.isnan(found) and not leave_out:
            raise MarigoldError("bad_input", f"There is no depth at ({u:.2f}, {v:.2f}): the photo is masked out there.")
    return depth


def in_pixels(image: bpy.types.Image, places: np.ndarray) -> np.ndarray:
    width, height = depth_size(image)
    return np.stack([places[:, 0] * width, (1 - places[:, 1]) * height], axis=-1)
