# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cells of a regular grid go when a jump touches them, for meshes that cannot divide a cell.

Called by the live grid, whose node group has the same rule as nodes, by the triangulation and by the points.
"""

from __future__ import annotations

import numpy as np

from .discontinuities import Discontinuities
from .lattice import cells_touching, invalid_area


def jump_area(jumps: Discontinuities) -> np.ndarray:
    """The area that the jumps cover, in half pixels of their grid: [2 * rows, 2 * columns] bool.

    Bilinear depth ramps from one side of a jump to the other between two pixel centres: that band, one pixel wide and
    as long as the pixels' common edge, belongs to neither side.
    """
    across, down = jumps.across, jumps.down
    area = np.zeros((2 * jumps.rows, 2 * jumps.columns), bool)
    for half in (0, 1):
        for side in (1, 2):
            area[half::2, side : side + 2 * across.shape[1] : 2] |= across
            area[side : side + 2 * down.shape[0] : 2, half::2] |= down
    # Between four pixel centres, where an edge turns its corner, all four pixels take part in the ramp.
    turn = (across[:-1] | across[1:]) & (down[:, :-1] | down[:, 1:])
    for below in (1, 2):
        for beside in (1, 2):
            area[below : below + 2 * turn.shape[0] : 2, beside : beside + 2 * turn.shape[1] : 2] |= turn
    return area


def cells_at_jumps(jumps: Discontinuities, columns: int, rows: int) -> np.ndarray:
    """[rows - 1, columns - 1] bool: which cells of a lattice over the picture a jump touches."""
    return cells_touching(jump_area(jumps), np.linspace(0, 1, columns), np.linspace(0, 1, rows))[0]


def invalid_cells(valid: np.ndarray | None, processing_size: tuple[int, int], columns: int, rows: int) -> np.ndarray:
    """[rows - 1, columns - 1] bool: which cells touch a half pixel of the processing resolution that is not valid.

    Args:
        valid: [H, W] bool, or None when all pixels are.
    """
    if valid is None:
        return np.zeros((rows - 1, columns - 1), bool)
    area = invalid_area(valid, (2 * processing_size[1], 2 * processing_size[0]))
    return cells_touching(area, np.linspace(0, 1, columns), np.linspace(0, 1, rows))[0]
