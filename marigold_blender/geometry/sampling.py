# SPDX-License-Identifier: GPL-3.0-or-later
"""Bilinear sampling of maps at lattices and at single points: by the discontinuities and the grid mesh.

Positions are continuous pixel coordinates of the map (pixel centres at +0.5); outside the outermost centres the edge
is repeated. Where a map has invalid pixels they do not bleed into the samples: their weight goes to the valid ones.
"""

from __future__ import annotations

import numpy as np


def _neighbours(positions: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The two pixels beside each position, and the weight of the second."""
    centred = np.clip(positions - 0.5, 0, size - 1)
    first = np.minimum(centred.astype(np.intp), max(size - 2, 0))
    return first, np.minimum(first + 1, size - 1), (centred - first).astype(np.float32)


def sample_lattice(values: np.ndarray, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    """`values` [H, W] float32 at every crossing of the columns `xs` and the rows `ys`: [len(ys), len(xs)] float32."""
    top, bottom, down = _neighbours(ys, values.shape[0])
    rows = values[top]
    rows += (values[bottom] - rows) * down[:, None]
    left, right, along = _neighbours(xs, values.shape[1])
    samples = rows[:, left]
    samples += (rows[:, right] - samples) * along
    return samples


def sample_points(values: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`values` [H, W] float32 at the points (x, y), each (N): (N) float32."""
    top, bottom, down = _neighbours(y, values.shape[0])
    left, right, along = _neighbours(x, values.shape[1])
    upper = values[top, left] * (1 - along) + values[top, right] * along
    lower = values[bottom, left] * (1 - along) + values[bottom, right] * along
    return upper * (1 - down) + lower * down


class MaskedMap:
    """A map [H, W] float32 with the pixels that count ([H, W] bool, or None when all do), ready to be sampled."""

    def __init__(self, values: np.ndarray, valid: np.ndarray | None) -> None:
        self.height, self.width = values.shape
        self.valid = None if valid is None or valid.all() else valid
        self._weights = None if self.valid is None else self.valid.astype(np.float32)
        self._values = values if self._weights is None else values * self._weights

    def at_lattice(self, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
        """Samples [len(ys), len(xs)]; NaN where no valid pixel is beside the position."""
        values = sample_lattice(self._values, xs, ys)
        return values if self._weights is None else _normalised(values, sample_lattice(self._weights, xs, ys))

    def at_points(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Samples (N); NaN where no valid pixel is beside the point."""
        values = sample_points(self._values, x, y)
        return values if self._weights is None else _normalised(values, sample_points(self._weights, x, y))


def _normalised(weighted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    tiny = 1e-6  # below it is rounding, not a valid pixel
    return np.where(weights > tiny, weighted / np.maximum(weights, tiny), np.float32(np.nan)).astype(np.float32)
