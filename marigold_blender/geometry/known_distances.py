# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a picture's distances, brought beside its depth: places, points and whole maps.

Called by the scene's calibration and by `marigold calibrate`. Places are in pixels, as `Camera` counts them.
"""

from __future__ import annotations

import numpy as np

from .camera import Camera
from .unprojection import unproject

AROUND_PX = 1  # the median of a few pixels: a single one may lie on an edge
SAMPLES = 4000  # of a picture whose distances are known everywhere
SAME_SHAPE = 0.02  # two pictures whose aspects differ by more are not of the same view


def depth_at(depth: np.ndarray, valid: np.ndarray | None, pixels: np.ndarray) -> np.ndarray:
    """Depth at places of the picture; NaN outside of it and where it is masked out.

    Args:
        depth: [H, W]; valid: [H, W] bool, or None where all pixels count.
        pixels: [N, 2] places (x, y).

    Returns:
        [N]
    """
    height, width = depth.shape
    found = np.full(len(pixels), np.nan)
    for number, (x, y) in enumerate(pixels):
        if not (0 <= x <= width and 0 <= y <= height):
            continue
        column, row = min(int(x), width - 1), min(int(y), height - 1)
        around = (
            slice(max(0, row - AROUND_PX), row + AROUND_PX + 1),
            slice(max(0, column - AROUND_PX), column + AROUND_PX + 1),
        )
        values = depth[around] if valid is None else depth[around][valid[around]]
        if values.size:
            found[number] = float(np.median(values))
    return found


def planar_from_straight(camera: Camera, pixels: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Planar distances [N] of points that lie `distances` [N] straight away from the lens, seen at `pixels` [N, 2]."""
    return np.asarray(distances / np.linalg.norm(unproject(camera, pixels, np.ones(len(pixels))), axis=1))


def lattice(depth: np.ndarray, valid: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of about SAMPLES pixels all over a picture [H, W], without those that are masked out."""
    height, width = depth.shape
    step = max(1, int(np.sqrt(height * width / SAMPLES)))
    rows, columns = (index.ravel() for index in np.mgrid[step // 2 : height : step, step // 2 : width : step])
    if valid is None:
        return rows, columns
    counts = valid[rows, columns]
    return rows[counts], columns[counts]


def same_view(metric: np.ndarray, depth: np.ndarray) -> bool:
    """Whether two maps [H, W] of perhaps different sizes have the same aspect."""
    return bool(abs(metric.shape[1] / metric.shape[0] / (depth.shape[1] / depth.shape[0]) - 1) <= SAME_SHAPE)


def beside(depth: np.ndarray, valid: np.ndarray | None, metric: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Depth and metric depth [N] each, at the same places of a depth map and a map of distances of the same view."""
    rows, columns = lattice(depth, valid)
    down = ((rows + 0.5) * (metric.shape[0] / depth.shape[0])).astype(np.intp)
    across = ((columns + 0.5) * (metric.shape[1] / depth.shape[1])).astype(np.intp)
    return depth[rows, columns], metric[down, across]
