# SPDX-License-Identifier: GPL-3.0-or-later
"""Places of a photo and the depth there, for `calibrating`; the points and lengths that a user has picked.

Places are (u, v), from (0, 0) bottom left to (1, 1) top right.
"""

from __future__ import annotations

import bpy
import numpy as np

from ..errors import MarigoldError
from .depth_image import DepthPixels, read_pixels
from .depth_size import depth_size

AROUND_PX = 1  # the median of a few pixels: a single one may lie on an edge
SAMPLES = 4000  # of a picture whose distances are known everywhere


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
    height, width = pixels.depth.shape
    depths = []
    for (u, v), (x, y) in zip(places, in_pixels(image, places), strict=True):
        if not (0 <= u <= 1 and 0 <= v <= 1):
            raise MarigoldError("bad_input", f"The place ({u:g}, {v:g}) is outside of the photo: both are 0 to 1.")
        column, row = min(int(x), width - 1), min(int(y), height - 1)
        around = (
            slice(max(0, row - AROUND_PX), row + AROUND_PX + 1),
            slice(max(0, column - AROUND_PX), column + AROUND_PX + 1),
        )
        counts = np.ones(pixels.depth[around].shape, bool) if pixels.valid is None else pixels.valid[around]
        if not counts.any() and not leave_out:
            raise MarigoldError("bad_input", f"There is no depth at ({u:.2f}, {v:.2f}): the photo is masked out there.")
        depths.append(float(np.median(pixels.depth[around][counts])) if counts.any() else np.nan)
    return np.array(depths)


def in_pixels(image: bpy.types.Image, places: np.ndarray) -> np.ndarray:
    width, height = depth_size(image)
    return np.stack([places[:, 0] * width, (1 - places[:, 1]) * height], axis=-1)


def lattice(pixels: DepthPixels) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of pixels all over the picture, without those that are masked out."""
    height, width = pixels.depth.shape
    step = max(1, int(np.sqrt(height * width / SAMPLES)))
    rows, columns = (index.ravel() for index in np.mgrid[step // 2 : height : step, step // 2 : width : step])
    if pixels.valid is None:
        return rows, columns
    valid = pixels.valid[rows, columns]
    return rows[valid], columns[valid]
