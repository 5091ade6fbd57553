# SPDX-License-Identifier: GPL-3.0-or-later
"""Planes that are fitted each with a shift of its own, from guesses at several shifts and tolerances; for `shift`.

An exact plane of any size finds the true shift from a guess that is not too far off; what is bent finds another, and
is told apart by what it leaves over.
"""

from __future__ import annotations

import numpy as np

from .fitting import FINEST, MAD_TO_DEVIATION, Plane, fit_plane, solve
from .hypotheses import best_planes
from .planes import LOOSEST, explained
from .samples import Samples

SHIFTS = np.geomspace(0.01, 8.0, 12)  # of the range: from a close-up before an open street to a wall far away
TOLERANCES = (
    0.02,
    0.003,
    0.0005,
)  # of the range: predicted depth, and exact depth of scenes with little or much beyond
PLANES_A_GUESS = 4
LEAST_AREA = 0.015
MOST_PLANES = 24
MOST_OVERLAP = 0.5


def candidates(samples: Samples, corners: np.ndarray) -> list[Plane]:
    """Planes fitted with a shift of their own, those that explain most of the picture most exactly first."""
    fitted: list[Plane] = []
    for tolerance in TOLERANCES:
        for shift in SHIFTS:
            for affine in best_planes(samples, corners, shift, tolerance, PLANES_A_GUESS, LEAST_AREA):
                plane = fit_plane(samples, affine, shift, tolerance, free_shift=True)
                if plane is not None and plane.area >= LEAST_AREA and plane.noise < LOOSEST:
                    fitted.append(plane)
    fitted.sort(key=lambda plane: explained(plane, plane.area), reverse=True)
    kept: list[Plane] = []
    for plane in fitted:
        if len(kept) < MOST_PLANES and all(_overlap(plane, other) < MOST_OVERLAP for other in kept):
            kept.append(plane)
    return kept


def _overlap(plane: Plane, other: Plane) -> float:
    return float((plane.on & other.on).sum()) / max(float(min(plane.on.sum(), other.on.sum())), 1.0)


def support(samples: Samples, plane: Plane, shift: float) -> float:
    """What the plane's pixels still are as a plane when the shift is another."""
    return plane.area * float(np.log(LOOSEST / min(noise_at(samples, plane, shift), LOOSEST)))


def noise_at(samples: Samples, plane: Plane, shift: float) -> float:
    """The noise of the plane's pixels about the best plane with this shift."""
    rays, metric = samples.rays[plane.on], samples.depth[plane.on] + shift
    trust = samples.weight[plane.on]
    weight = trust * metric**4  # disparity's noise grows with its square
    affine = solve(rays.T @ (rays * weight[:, None]), rays.T @ (weight / metric))
    for _ in range(3):
        disparity = np.maximum(rays @ affine, 1e-6)
        slopes = rays / (disparity**2)[:, None]
        e = metric - 1.0 / disparity
        affine = affine - solve(slopes.T @ (slopes * trust[:, None]), slopes.T @ (trust * e))
    e = metric - 1.0 / np.maximum(rays @ affine, 1e-6)
    return max(FINEST, MAD_TO_DEVIATION * float(np.median(np.abs(e))))
