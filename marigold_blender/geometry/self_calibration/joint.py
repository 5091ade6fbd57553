# SPDX-License-Identifier: GPL-3.0-or-later
"""Several planes fitted with one shift for all, and how far that is determined. Called by `shift`."""

from __future__ import annotations

import numpy as np

from .fitting import FINEST, INLIER, MAD_TO_DEVIATION, Plane, residuals, solve
from .planes import LOOSEST
from .samples import Samples

STEPS = 6
SETTLED = 1e-6  # relative change of the shift
BLOCKS = 5  # the picture is divided into as many times as many, to see what each part contributes
RIDGE = 1e-10


def fit_together(samples: Samples, planes: list[Plane], shift: float) -> tuple[float, float, list[Plane]]:
    """Fit planes with one shift for all: the shift, its standard error, and the planes."""
    value, error = shift, 0.0
    for _ in range(STEPS):
        value, error, affines = _step(samples, planes, shift)
        planes = [
            Plane(affine, value, plane.noise, plane.on, plane.area)
            for affine, plane in zip(affines, planes, strict=True)
        ]
        moved, shift = abs(value - shift), value
        if moved < SETTLED * shift:
            break
    return value, error, [again for p in planes if (again := _renewed(samples, p)) is not None]


def _renewed(samples: Samples, plane: Plane) -> Plane | None:
    """The plane with the noise that its pixels show now."""
    residual, _ = residuals(samples, plane.affine, plane.shift)
    e = np.abs(residual[plane.on & np.isfinite(residual)])
    noise = max(FINEST, MAD_TO_DEVIATION * float(np.median(e))) if e.size else LOOSEST
    return Plane(plane.affine, plane.shift, noise, plane.on, plane.area) if noise < LOOSEST else None


def _step(samples: Samples, planes: list[Plane], shift: float) -> tuple[float, float, list[np.ndarray]]:
    """One Gauss-Newton step of all planes and their common shift; with the shift's standard error.

    The error is that of the jackknife over blocks of the picture: noise of a depth map is smooth, so that neighbouring
    pixels do not count as independent.
    """
    unknowns = 3 * len(planes) + 1
    count = BLOCKS * BLOCKS
    rows, columns = np.divmod(np.arange(len(samples.depth)), samples.columns)
    block = (rows * BLOCKS // samples.rows) * BLOCKS + columns * BLOCKS // samples.columns
    matrices, rights = np.zeros((count, unknowns, unknowns)), np.zeros((count, unknowns))
    for number, plane in enumerate(planes):
        residual, depth = residuals(samples, plane.affine, shift)
        scale = INLIER * plane.noise
        on = plane.on & np.isfinite(residual)
        e = residual[on]
        weight = samples.weight[on] / (1.0 + (e / scale) ** 2) ** 2 / plane.noise**2
        slopes = np.concatenate([samples.rays[on] * (depth[on] ** 2)[:, None], np.ones((len(e), 1))], axis=1)
        where = np.array([3 * number, 3 * number + 1, 3 * number + 2, unknowns - 1])
        for part in np.unique(block[on]):
            own = block[on] == part
            matrices[part][np.ix_(where, where)] += slopes[own].T @ (slopes[own] * weight[own][:, None])
            rights[part][where] += slopes[own].T @ (weight[own] * e[own])
    matrix, right = matrices.sum(axis=0), rights.sum(axis=0)
    step = solve(matrix, right)
    value = float(np.clip(shift - step[-1], shift / 2, shift * 2))
    return (
        value,
        _jackknife(matrices, rights),
        [plane.affine - step[3 * n : 3 * n + 3] for n, plane in enumerate(planes)],
    )


def _jackknife(matrices: np.ndarray, rights: np.ndarray) -> float:
    """Standard error of the last unknown, from the normal equations of each block."""
    used = np.flatnonzero(matrices[:, -1, -1] > 0)
    if len(used) < 2:
        return float("inf")
    # Scaled by the whole, not by what is left: a plane that lies in one block has nothing left when that is out.
    size = np.sqrt(np.maximum(np.diag(matrices.sum(axis=0)), 1e-300))
    left = matrices.sum(axis=0) - matrices[used]
    scaled = left / np.outer(size, size) + RIDGE * np.eye(len(size))
    without = np.linalg.solve(scaled, ((rights.sum(axis=0) - rights[used]) / size)[..., None])[:, -1, 0] / size[-1]
    return float(np.sqrt((len(used) - 1) / len(used) * np.square(without - without.mean()).sum()))
