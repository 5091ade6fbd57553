# SPDX-License-Identifier: GPL-3.0-or-later
"""Guesses at planes by RANSAC, for one value of the shift. Called by `guesses` and by `planes`.

A plane through three pixels: their disparities 1 / (depth + shift) determine its affine disparity. The three stand
close together as often as far apart, since a plane of the scene is rarely more than a part of the picture.
"""

from __future__ import annotations

import numpy as np

from .samples import Samples

LEAST_REACH = 3.0  # steps of the lattice between the three pixels, at least


def triples(samples: Samples, count: int, rng: np.random.Generator) -> np.ndarray:
    """[M, 3] indices of usable pixels, M <= count, each three a triangle somewhere in the picture."""
    usable = np.flatnonzero(samples.weight > 0)
    if len(usable) < 3:
        return np.zeros((0, 3), np.intp)
    first = rng.choice(usable, count)
    row, column = np.divmod(first, samples.columns)
    longest = max(samples.rows, samples.columns) / 2
    reach = np.exp(rng.uniform(np.log(LEAST_REACH), np.log(max(longest, LEAST_REACH + 1)), count))
    angle = rng.uniform(0, 2 * np.pi, count)
    turn = rng.uniform(np.pi / 4, 3 * np.pi / 4, count)
    corners = [first]
    inside = np.ones(count, bool)
    for direction in (angle, angle + turn):
        y = np.rint(row + reach * np.sin(direction)).astype(np.intp)
        x = np.rint(column + reach * np.cos(direction)).astype(np.intp)
        within = (y >= 0) & (y < samples.rows) & (x >= 0) & (x < samples.columns)
        index = np.where(within, y * samples.columns + x, 0)
        inside &= within & (samples.weight[index] > 0)
        corners.append(index)
    return np.stack(corners, axis=1)[inside]


def planes_through(samples: Samples, corners: np.ndarray, shift: float) -> np.ndarray:
    """Affine disparities [M, 3] of the planes through three pixels each; those that cannot be seen are left out."""
    disparity = 1.0 / (samples.depth[corners] + shift)  # [M, 3]
    rays = samples.rays[corners]  # [M, 3, 3]
    usable = np.abs(np.linalg.det(rays)) > 1e-9
    planes = np.linalg.solve(rays[usable], disparity[usable][..., None])[..., 0]
    return planes[np.isfinite(planes).all(axis=1)]


def departures(samples: Samples, planes: np.ndarray, shift: float) -> np.ndarray:
    """How far the depth of each pixel departs from that of each plane, [M, N] float32; inf behind the camera."""
    disparity = (planes @ samples.rays.T).astype(np.float32)
    ahead = disparity > 1e-6
    depth = np.divide(np.float32(1.0), disparity, out=np.full_like(disparity, np.inf), where=ahead)
    return np.abs(depth - (samples.depth + shift).astype(np.float32))


def best_planes(
    samples: Samples, corners: np.ndarray, shift: float, tolerance: float, most: int, least_area: float
) -> list[np.ndarray]:
    """Up to `most` planes that together explain most of the picture within `tolerance`: affine disparities, best first.

    Args:
        corners: of `triples`.
        tolerance: in the samples' depth.
        least_area: share of the picture that a plane must explain beyond those before it.
    """
    planes = planes_through(samples, corners, shift)
    if len(planes) == 0:
        return []
    # Truncated squares (MSAC): a pixel counts for what it is explained better than not at all.
    explained = departures(samples, planes, shift)
    explained *= np.float32(1.0 / tolerance)
    np.square(explained, out=explained)
    np.subtract(np.float32(1.0), explained, out=explained)
    np.maximum(explained, np.float32(0.0), out=explained)
    weight = samples.weight.astype(np.float32)
    chosen: list[np.ndarray] = []
    so_far = np.zeros(len(weight), np.float32)
    for _ in range(most):
        gain = np.maximum(explained - so_far, np.float32(0.0)) @ weight
        best = int(gain.argmax())
        if gain[best] < least_area * samples.total:
            break
        chosen.append(planes[best])
        so_far = np.maximum(so_far, explained[best])
    return chosen
