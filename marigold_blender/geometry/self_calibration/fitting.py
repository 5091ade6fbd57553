# SPDX-License-Identifier: GPL-3.0-or-later
"""Least squares of planes to depth, with the shift known, free, or shared by several planes. Called by `shift`.

What is fitted is depth, not disparity: depth + shift = 1 / (a x + b y + c). Noise of a depth map is alike everywhere,
noise of its disparity is not, and a fit of disparity draws the shift towards what makes disparity small. Gauss-Newton
with weights that fall with the residual (Geman and McClure), whose scale shrinks to what the plane's own pixels show.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .samples import Samples, neighbours

FINEST = 1e-5  # of the depth range: the noise that is assumed at least, and what 16 bits resolve
SETTLED = 1e-4  # relative change of the shift
MAD_TO_DEVIATION = 1.4826
INLIER = 2.5  # standard deviations
DENSE = 0.5  # share of its neighbourhood that must lie on the plane too, for a pixel to count


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane that was fitted.

    Attributes:
        affine: [3] a, b, c: disparity is a x + b y + c in the samples' positions and the unit of their depth.
        shift: the shift with which it fits.
        noise: standard deviation of its pixels' depth, in shares of the range.
        on: [N] bool: the pixels that lie on it.
        area: their share of the picture.
    """

    affine: np.ndarray
    shift: float
    noise: float
    on: np.ndarray
    area: float


def residuals(samples: Samples, affine: np.ndarray, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """depth + shift - that of the plane, [N], inf behind the camera; and the plane's depth, [N]."""
    disparity = samples.rays @ affine
    ahead = disparity > 1e-9
    plane_depth = np.divide(1.0, disparity, out=np.full_like(disparity, np.inf), where=ahead)
    return samples.depth + shift - plane_depth, plane_depth


def dense(samples: Samples, on: np.ndarray) -> np.ndarray:
    """`on` [N] bool without the pixels whose neighbourhood of 5 x 5 is mostly elsewhere.

    A plane that cuts through other things meets them in thin lines.
    """
    around = neighbours(on, samples.rows, samples.columns)
    return on & (around > DENSE * samples.neighbours)


def fit_plane(
    samples: Samples, affine: np.ndarray, shift: float, tolerance: float, *, free_shift: bool, rounds: int = 12
) -> Plane | None:
    """Fit one plane from a guess; None where nothing of the picture lies on it.

    Args:
        tolerance: how far its pixels may be from the guess, in the samples' depth.
        free_shift: whether the shift is fitted too.
    """
    scale = tolerance
    for _ in range(rounds):
        residual, plane_depth = residuals(samples, affine, shift)
        on = dense(samples, (np.abs(residual) < INLIER * scale) & (samples.weight > 0))
        if on.sum() < 12:
            return None
        e, depth = residual[on], plane_depth[on]
        weight = samples.weight[on] / (1.0 + (e / scale) ** 2) ** 2
        # The residual's derivatives by a, b, c and the shift.
        slopes = np.concatenate([samples.rays[on] * (depth**2)[:, None], np.ones((len(e), 1))], axis=1)
        if not free_shift:
            slopes = slopes[:, :3]
        step = solve(slopes.T @ (slopes * weight[:, None]), slopes.T @ (weight * e))
        affine = affine - step[:3]
        before, moved = scale, 0.0
        if free_shift:
            moved = step[3]
            shift = float(np.clip(shift - moved, shift / 2, shift * 2))
        scale = max(FINEST, min(scale, max(scale / 3, 2.0 * MAD_TO_DEVIATION * float(np.median(np.abs(e))))))
        if scale > 0.9 * before and abs(moved) < SETTLED * shift:
            break
    return as_plane(samples, affine, shift, scale)


def as_plane(samples: Samples, affine: np.ndarray, shift: float, scale: float) -> Plane | None:
    """The plane with the pixels that lie on it within `scale`; None where none do."""
    residual, _ = residuals(samples, affine, shift)
    on = dense(samples, (np.abs(residual) < INLIER * scale) & (samples.weight > 0))
    if not on.any():
        return None
    noise = max(FINEST, MAD_TO_DEVIATION * float(np.median(np.abs(residual[on]))))
    return Plane(affine, shift, noise, on, float(samples.weight[on].sum()) / samples.total)


def solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve normal equations whose unknowns differ much in size; what is undetermined stays where it is."""
    size = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    scaled = matrix / np.outer(size, size)
    return np.linalg.solve(scaled + 1e-10 * np.eye(len(size)), right / size) / size
