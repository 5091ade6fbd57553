# SPDX-License-Identifier: GPL-3.0-or-later
"""Shaping a depth map before it becomes a mesh: the depth curve and the smoothing of the live controls.

Called when a live mesh is baked; the live group has the same formulas as nodes (`scene.live_group`).
"""

from __future__ import annotations

import numpy as np

from .sampling import MaskedMap, sample_lattice

# Share of each neighbour, by its place in steps right and up: a binomial filter.
KERNEL = {(x, y): (2 - abs(x)) * (2 - abs(y)) / 16 for y in (-1, 0, 1) for x in (-1, 0, 1)}
LIKENESS = 0.08  # a neighbour whose disparity differs by this share belongs to something else


def shape_depth(
    depth: np.ndarray,
    valid: np.ndarray | None,
    processing_size: tuple[int, int],
    near: float,
    far: float,
    *,
    curve: float = 1.0,
    smoothing: float = 0.0,
) -> np.ndarray:
    """The depth map with a curve and smoothed: [H, W] float32, 0 near .. 1 far.

    Smoothing takes the mean of the disparities around, weighted by Tukey's biweight of how much they differ, so that
    planes stay planes and what lies behind an edge does not count.

    Args:
        depth: [H, W] float32; valid: [H, W] bool, or None when all pixels are.
        processing_size: width and height that the network saw.
        near, far: metric depth of 0 and of 1; only their ratio counts.
        curve: exponent of the depth.
        smoothing: distance of the neighbours in pixels of the processing resolution; 0 leaves the depth as it is.
    """
    if curve != 1.0:
        depth = np.power(np.maximum(depth, 0.0), np.float32(curve))
        if valid is not None:
            depth = np.where(valid, depth, np.float32(1.0))
    if smoothing <= 0.0:
        return depth
    ratio = far / near - 1
    height, width = depth.shape
    disparity = (1 / (1 + depth * ratio)).astype(np.float32)
    allowed = disparity * np.float32(LIKENESS)
    masked = MaskedMap(depth, valid)
    total, weights = disparity * KERNEL[0, 0], np.full(depth.shape, KERNEL[0, 0], np.float32)
    step_x, step_y = smoothing * width / processing_size[0], smoothing * height / processing_size[1]
    for (right, up), share in KERNEL.items():
        if (right, up) == (0, 0):
            continue
        xs = np.arange(width) + 0.5 + right * step_x
        ys = np.arange(height) + 0.5 - up * step_y
        other = 1 / (1 + np.nan_to_num(masked.at_lattice(xs, ys), nan=1.0) * ratio)
        weight = np.maximum(1 - np.square((other - disparity) / allowed), 0) ** 2 * share
        if valid is not None:
            weight *= sample_lattice(valid.astype(np.float32), xs, ys)
        total += weight * other
        weights += weight
    smoothed = (weights / total - 1) / ratio
    return smoothed.astype(np.float32) if valid is None else np.where(valid, smoothed, 1.0).astype(np.float32)
