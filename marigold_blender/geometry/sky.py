# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the sky in depth itself, and the dome it may be put on. Called by `surfaces`, and by scripts.

Affine-invariant depth has no word for infinity: a sky is a plateau at its far end. So is the wall at the end of a room,
but a wall touches the floor: depth runs up to it without a jump. A sky touches nothing, and there is a gap in depth
before it.
"""

from __future__ import annotations

import numpy as np

from .camera import Camera
from .discontinuities import Discontinuities
from .islands import area_sizes, label_areas

PLATEAU = 0.06  # of the depth range, below its far end: what is farther may be sky
VALLEY = 0.095  # below the far end: from here to the plateau there is hardly anything, unless a wall runs up to it
VALLEY_SHARE = 0.25  # of the sky's pixels
LEAST_SHARE = 0.005  # of the picture, for a sky that is seen as such
TOP = 0.02  # of the picture's height: the sky reaches into this strip
FREE_BORDER = 0.8  # share of the plateau's border that must be a jump
FREE_GAP = 0.7  # the same of other parts, once there is a sky
FADE = 2  # pixels at most, and as many as there are in
FADE_SHARE = 1 / 64  # of the picture's width
DOME_RADIUS = 10.0  # times the far end of the depth


def find_sky(depth: np.ndarray, jumps: Discontinuities, kept: np.ndarray | None = None) -> np.ndarray:
    """Which pixels are sky: a far plateau that reaches the picture's top and is cut off from all else.

    Where there is such a sky, pixels as far as it count too, however small the gap (between leaves) they show in.

    Args:
        depth: [rows, columns], 0 near .. 1 far, on the grid of `jumps`.
        jumps: see `find_discontinuities`.
        kept: [rows, columns] bool, pixels that count; None: all.

    Returns:
        [rows, columns] bool.
    """
    kept = np.ones(depth.shape, bool) if kept is None else kept
    far = kept & (depth > 1 - PLATEAU)
    if not far.any():
        return far
    border_across, border_down = far[:, 1:] != far[:, :-1], far[1:] != far[:-1]
    # within the plateau nothing is cut: what a network leaves there is noise
    unbroken = Discontinuities(np.zeros_like(jumps.across), np.zeros_like(jumps.down))
    labels = label_areas(far, unbroken)
    count = int(labels.max()) + 1
    sizes = area_sizes(labels)
    border, free = np.zeros(count), np.zeros(count)
    apart = _near_a_jump(jumps)
    sides = (
        (labels[:, 1:], labels[:, :-1], border_across, apart[:, 1:] | apart[:, :-1], kept[:, 1:] & kept[:, :-1]),
        (labels[1:], labels[:-1], border_down, apart[1:] | apart[:-1], kept[1:] & kept[:-1]),
    )
    for after, before, is_border, is_apart, seen in sides:
        counted = is_border & seen  # beside masked pixels nothing is known
        area = np.maximum(after, before)
        border += np.bincount(area[counted], minlength=count)
        free += np.bincount(area[counted & is_apart], minlength=count)
    at_top = np.zeros(count, bool)
    strip = labels[: max(1, round(TOP * len(labels)))]
    at_top[strip[strip >= 0]] = True
    is_sky = (free >= FREE_BORDER * border) & at_top & (sizes >= LEAST_SHARE * depth.size)
    before_it = np.count_nonzero(kept & (depth > 1 - VALLEY) & ~far)
    if not is_sky.any() or before_it > VALLEY_SHARE * sizes[is_sky].sum():
        return np.zeros(depth.shape, bool)
    return far & (is_sky | (free >= FREE_GAP * border))[np.maximum(labels, 0)]


def _near_a_jump(jumps: Discontinuities) -> np.ndarray:
    """[rows, columns] bool: the pixels within reach of a jump; a network lets a sky's border fade."""
    near = np.zeros((jumps.rows, jumps.columns), bool)
    near[:, 1:] |= jumps.across
    near[:, :-1] |= jumps.across
    near[1:] |= jumps.down
    near[:-1] |= jumps.down
    for _ in range(min(FADE, int(jumps.columns * FADE_SHARE))):
        wide = np.pad(near, 1)
        near = wide[1:-1, 1:-1] | wide[2:, 1:-1] | wide[:-2, 1:-1] | wide[1:-1, 2:] | wide[1:-1, :-2]
    return near


def dome_depth(camera: Camera, x: np.ndarray, y: np.ndarray, near: float, far: float) -> np.ndarray:
    """Depth (beyond 1) that puts the pixels (x, y) of the photo on a sphere around the camera, far behind all else."""
    tilt = np.hypot((x - camera.cx) / camera.focal_px, (y - camera.cy) / camera.focal_px)
    metric = DOME_RADIUS * far / np.sqrt(1 + tilt**2)
    return ((np.maximum(metric, far) - near) / (far - near)).astype(np.float32)
