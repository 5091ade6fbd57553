# SPDX-License-Identifier: GPL-3.0-or-later
"""The pixels of a depth map that self-calibration looks at: a lattice over it, without what clipping flattened.

Positions are in half longer edges from the principal point (x to the right, y down), depth in shares of its range, so
that every tolerance has one meaning whatever the map's size and range. Called by `calibrate`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LOOKED_AT = 250_000  # pixels that are enough to see whether the ends are flattened
PLATEAU_SHARE = 0.003  # of the valid pixels: more of them at one end of the range were clipped there
PLATEAU_WIDTH = 1e-5  # of the range
CLIPPED_MARGIN = 0.015  # of the range: noise lifts clipped pixels off the end where they were clipped
SPAN_QUANTILES = (1.0, 99.0)  # between them lies what counts as the range: a few far pixels must not set it


@dataclass(frozen=True)
class Samples:
    """A lattice [rows, columns] over a depth map; flat arrays are its rows one after another, N = rows * columns.

    Attributes:
        rows, columns: size of the lattice.
        rays: [N, 3] float64: x, y, 1; the disparity of a plane is an affine function, `rays @ (a, b, c)`.
        depth: [N] float64: (depth - lowest) / span; 0 where there is none.
        weight: [N] float64: 0 where depth does not count, 1 where it does, less where it is uncertain.
        neighbours: [N] uint8: how many pixels count in the neighbourhood of 5 x 5.
        lowest, span: what undoes the scaling.
        unit_px: what 1 of x and y is in pixels.
    """

    rows: int
    columns: int
    rays: np.ndarray
    depth: np.ndarray
    weight: np.ndarray
    neighbours: np.ndarray
    lowest: float
    span: float
    unit_px: float

    @property
    def total(self) -> float:
        """Sum of all weights: the picture, when areas are told as shares of it."""
        return float(self.weight.sum())


def depths_that_count(depth: np.ndarray, valid: np.ndarray | None) -> tuple[float, float]:
    """Between which values depth [H, W] counts: what clipping flattened at an end of the range lies outside."""
    step = max(1, round(float(np.sqrt(depth.size / LOOKED_AT))))
    some = depth[::step, ::step]
    values = some[np.isfinite(some) if valid is None else np.isfinite(some) & valid[::step, ::step]]
    if values.size == 0:
        return -np.inf, np.inf
    low, high = float(values.min()), float(values.max())
    width, margin = PLATEAU_WIDTH * (high - low), CLIPPED_MARGIN * (high - low)
    least = PLATEAU_SHARE * values.size
    return (
        low + margin if (values <= low + width).sum() > least else -np.inf,
        high - margin if (values >= high - width).sum() > least else np.inf,
    )


def take_samples(
    depth: np.ndarray,
    valid: np.ndarray | None,
    principal_point: tuple[float, float],
    uncertainty: np.ndarray | None,
    count: int,
) -> Samples:
    """A lattice of about `count` pixels.

    Single pixels, not averages: the average of a plane's depths is not its depth in the middle, and an average over an
    edge lies on neither side of it.

    Args:
        depth: [H, W], not finite where there is none; valid: [H, W] bool, or None.
        principal_point: in pixels, pixel centres at + 0.5.
        uncertainty: [H, W], as a share of the depth range, or None.
    """
    height, width = depth.shape
    step = max(1, round(float(np.sqrt(height * width / count))))
    ys, xs = np.arange(step // 2, height, step), np.arange(step // 2, width, step)
    picked = depth[np.ix_(ys, xs)].astype(np.float64).ravel()
    low, high = depths_that_count(depth, valid)
    usable = np.isfinite(picked) & (picked >= low) & (picked <= high)
    if valid is not None:
        usable &= valid[np.ix_(ys, xs)].ravel()
    weight = usable.astype(np.float64)
    counted = picked[weight > 0]
    lowest, span = 0.0, 1.0
    if counted.size:
        nearest, farthest = np.percentile(counted, SPAN_QUANTILES)
        lowest, span = float(counted.min()), float(max(farthest - nearest, 1e-12))
    if uncertainty is not None:
        weight *= _trust(uncertainty[np.ix_(ys, xs)].ravel(), weight > 0)
    unit_px = max(height, width) / 2
    x, y = np.meshgrid((xs + 0.5 - principal_point[0]) / unit_px, (ys + 0.5 - principal_point[1]) / unit_px)
    return Samples(
        rows=len(ys),
        columns=len(xs),
        rays=np.stack([x.ravel(), y.ravel(), np.ones(x.size)], axis=1),
        depth=np.where(weight > 0, (picked - lowest) / span, 0.0),
        weight=weight,
        neighbours=neighbours(weight > 0, len(ys), len(xs)),
        lowest=lowest,
        span=span,
        unit_px=unit_px,
    )


def neighbours(flags: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """How many of `flags` [N] bool are set in the neighbourhood of 5 x 5 of each pixel of a lattice, [N] uint8."""
    framed = np.zeros((rows + 4, columns + 4), np.uint8)
    framed[2:-2, 2:-2] = flags.reshape(rows, columns)
    lines = sum((framed[n : n + rows] for n in range(1, 5)), start=framed[:rows])
    return sum((lines[:, n : n + columns] for n in range(1, 5)), start=lines[:, :columns]).ravel()


def _trust(uncertainty: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """1 where the ensemble agrees, falling with the square of the uncertainty beyond its median."""
    known = counted & np.isfinite(uncertainty)
    usual = float(np.median(uncertainty[known])) if known.any() else 0.0
    if usual <= 0:
        return np.where(np.isfinite(uncertainty), 1.0, 0.0)
    return np.where(np.isfinite(uncertainty), 1.0 / (1.0 + (uncertainty / usual) ** 2), 0.0) * 2.0 * known
