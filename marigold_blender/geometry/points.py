# SPDX-License-Identifier: GPL-3.0-or-later
"""A depth map as points: one in the middle of each cell of a lattice, none on a ramp between two surfaces.

Called by the scene's point clouds and by the `marigold mesh` command.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .discontinuities import DEFAULT_THRESHOLD, find_discontinuities
from .lattice import lattice_size
from .live_cells import cells_at_jumps, invalid_cells
from .sampling import MaskedMap


@dataclass(frozen=True)
class PointGrid:
    """Points in picture coordinates: uv [N, 2] float32, (0, 0) bottom left; depth [N] float32, 0 near .. 1 far."""

    uv: np.ndarray
    depth: np.ndarray


def point_grid(
    depth: np.ndarray,
    valid: np.ndarray | None,
    processing_size: tuple[int, int],
    near: float,
    far: float,
    points: int,
    *,
    edge_threshold: float = DEFAULT_THRESHOLD,
) -> PointGrid:
    """About `points` points of a depth map, less those that a jump or an invalid pixel touches.

    Arguments as in `triangulation.triangulate`.
    """
    masked = MaskedMap(depth, valid)
    columns, rows = (count + 1 for count in lattice_size(masked.width, masked.height, points))
    jumps = find_discontinuities(masked, processing_size, near, far, edge_threshold)
    kept = ~(cells_at_jumps(jumps, columns, rows) | invalid_cells(valid, processing_size, columns, rows))
    xs, ys = (np.arange(columns - 1) + 0.5) / (columns - 1), (np.arange(rows - 1) + 0.5) / (rows - 1)
    sampled = masked.at_lattice(xs * masked.width, ys * masked.height)
    kept &= np.isfinite(sampled)
    row, column = np.nonzero(kept)
    return PointGrid(np.stack([xs[column], 1 - ys[row]], axis=-1).astype(np.float32), sampled[row, column])
