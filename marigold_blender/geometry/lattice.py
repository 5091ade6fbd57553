# SPDX-License-Identifier: GPL-3.0-or-later
"""The regular lattice over a picture, and which of its cells an area of the picture touches.

Used by every mesh that begins as a lattice: the cut grid, the live grid, the triangulation, the relief's solid.
"""

from __future__ import annotations

import math

import numpy as np


def lattice_size(width: int, height: int, vertices: int) -> tuple[int, int]:
    """Columns and rows of the coarsest lattice with square cells and at least `vertices` vertices."""
    aspect = width / height
    rows = max(2, math.ceil(math.sqrt(vertices / aspect)))
    columns = max(2, math.ceil(vertices / rows))
    return columns, rows


def lattice_quads(corner: np.ndarray) -> np.ndarray:
    """Faces [rows - 1, columns - 1, 4] of a lattice of vertex numbers whose first row is the top."""
    return np.stack([corner[1:, :-1], corner[1:, 1:], corner[:-1, 1:], corner[:-1, :-1]], axis=-1)


def invalid_area(valid: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Which parts of the picture, divided into `shape`, hold an invalid pixel."""
    counts = _summed(~valid)
    top, bottom = _covering(np.linspace(0, 1, shape[0] + 1), valid.shape[0])
    left, right = _covering(np.linspace(0, 1, shape[1] + 1), valid.shape[1])
    return _count_in(counts, top, bottom, left, right) > 0


def cells_touching(dropped: np.ndarray, xs: np.ndarray, ys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which cells of the lattice touch the dropped area, and which lie in it wholly: [rows - 1, columns - 1] bool."""
    top, bottom = _covering(ys, dropped.shape[0])
    left, right = _covering(xs, dropped.shape[1])
    count = _count_in(_summed(dropped), top, bottom, left, right)
    return count > 0, count == (bottom - top)[:, None] * (right - left)


def _summed(area: np.ndarray) -> np.ndarray:
    """Summed-area table of a bool map, with a row and a column of zeros before it."""
    table = np.zeros((area.shape[0] + 1, area.shape[1] + 1), np.int32)
    np.cumsum(np.cumsum(area, axis=0, dtype=np.int32), axis=1, out=table[1:, 1:])
    return table


def _covering(borders: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The range of pixels that each interval between two borders (0 .. 1) overlaps."""
    scaled = np.round(borders * size, 6)  # a border meant to lie between two pixels belongs to neither
    return np.floor(scaled[:-1]).astype(np.intp), np.ceil(scaled[1:]).astype(np.intp)


def _count_in(
    table: np.ndarray, top: np.ndarray, bottom: np.ndarray, left: np.ndarray, right: np.ndarray
) -> np.ndarray:
    lower, upper = table[bottom], table[top]
    return lower[:, right] - lower[:, left] - upper[:, right] + upper[:, left]
