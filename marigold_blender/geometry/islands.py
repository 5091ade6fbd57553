# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pixels hang together: connected areas of a picture between its jumps. Called by the surfaces and the sky."""

from __future__ import annotations

import numpy as np

from .discontinuities import Discontinuities

LEAST_PIXELS = 4  # of an island: less hangs in the air between two surfaces


def label_areas(kept: np.ndarray, jumps: Discontinuities) -> np.ndarray:
    """Numbers the areas of pixels that are joined side by side without a jump: [rows, columns] int32, from 0.

    Rows are taken apart into runs, and only the runs are joined: a picture has a hundred times fewer of them than
    pixels. Two runs that touch take the smaller number of both until nothing changes.

    Args:
        kept: [rows, columns] bool; the others get -1.
    """
    starts = kept.copy()
    starts[:, 1:] &= ~kept[:, :-1] | jumps.across
    run = (np.cumsum(starts.ravel(), dtype=np.int32) - 1).reshape(kept.shape)
    touching = kept[:-1] & kept[1:] & ~jumps.down
    pairs = np.unique(run[:-1][touching].astype(np.int64) << 32 | run[1:][touching])
    upper, lower = (pairs >> 32).astype(np.intp), (pairs & 0xFFFFFFFF).astype(np.intp)
    root = np.arange(np.count_nonzero(starts), dtype=np.int32)
    while True:
        first, second = root[upper], root[lower]
        apart = first != second
        if not apart.any():
            break
        upper, lower, first, second = upper[apart], lower[apart], first[apart], second[apart]
        np.minimum.at(root, np.maximum(first, second), np.minimum(first, second))
        while (root[root] != root).any():
            root = root[root]
    return np.where(kept, root[run] if len(root) else -1, np.int32(-1))


def area_sizes(labels: np.ndarray) -> np.ndarray:
    """Pixels of the area with each number."""
    return np.bincount(labels[labels >= 0].ravel(), minlength=1)


def without_islands(kept: np.ndarray, jumps: Discontinuities, least_share: float) -> np.ndarray:
    """`kept` without the areas of less than `least_share` of the picture, or of a few pixels; 0 keeps all."""
    if least_share <= 0 or not kept.any():
        return kept
    labels = label_areas(kept, jumps)
    large = area_sizes(labels) >= max(least_share * kept.size, LEAST_PIXELS)
    return kept & large[np.maximum(labels, 0)]
