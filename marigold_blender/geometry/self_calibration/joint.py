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
    for _ in range(STEPS):
        equations = [_equations(samples, plane, shift) for plane in planes]
        matrix, right = np.zeros((3 * len(planes) + 1,) * 2), np.zeros(3 * len(planes) + 1)
        for number, (slopes, weight, e) in enumerate(equations):
            where = _unknowns(number, len(planes))
            matrix[np.ix_(where, where)] += slopes.T @ (slopes * weight[:, None])
            right[where] += slopes.T @ (weight * e)
        step = solve(matrix, right)
        before, shift = shift, float(np.clip(shift - step[-1], shift / 2, shift * 2))
        planes = [
            Plane(plane.affine - step[3 * n : 3 * n + 3], shift, plane.noise, plane.on, plane.area)
            for n, plane in enumerate(planes)
        ]
        if abs(shift - before) < SETTLED * before:
            break
    error = _standard_error(samples, planes, shift)
    return shift, error, [again for p in planes if (again := _renewed(samples, p)) is not None]


def _equations(samples: Samples, plane: Plane, shift: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of a plane's pixels: derivatives of the residual by a, b, c and the shift [n, 4], weights [n], residuals [n]."""
    rays, weight = samples.rays[plane.on], samples.weight[plane.on]
    depth = 1.0 / np.maximum(rays @ plane.affine, 1e-6)
    e = samples.depth[plane.on] + shift - depth
    weight = weight / (1.0 + (e / (INLIER * plane.noise)) ** 2) ** 2 / plane.noise**2
    return np.concatenate([rays * (depth**2)[:, None], np.ones((len(e), 1))], axis=1), weight, e


def _unknowns(number: int, planes: int) -> np.ndarray:
    return np.array([3 * number, 3 * number + 1, 3 * number + 2, 3 * planes])


def _renewed(samples: Samples, plane: Plane) -> Plane | None:
    """The plane with the noise that its pixels show now."""
    residual, _ = residuals(samples, plane.affine, plane.shift)
    e = np.abs(residual[plane.on & np.isfinite(residual)])
    noise = max(FINEST, MAD_TO_DEVIATION * float(np.median(e))) if e.size else LOOSEST
    return Plane(plane.affine, plane.shift, noise, plane.on, plane.area) if noise < LOOSEST else None


def _standard_error(samples: Samples, planes: list[Plane], shift: float) -> float:
    """The jackknife's standard error of the shift, over blocks of the picture.

    Blocks, because noise of a depth map is smooth: neighbouring pixels do not count as independent.
    """
    rows, columns = np.divmod(np.arange(len(samples.depth)), samples.columns)
    block = (rows * BLOCKS // samples.rows) * BLOCKS + columns * BLOCKS // samples.columns
    unknowns = 3 * len(planes) + 1
    matrices, rights = np.zeros((BLOCKS * BLOCKS, unknowns, unknowns)), np.zeros((BLOCKS * BLOCKS, unknowns))
    for number, plane in enumerate(planes):
        slopes, weight, e = _equations(samples, plane, shift)
        where = _unknowns(number, len(planes))
        for part in np.unique(block[plane.on]):
            own = block[plane.on] == part
            matrices[part][np.ix_(where, where)] += slopes[own].T @ (slopes[own] * weight[own][:, None])
            rights[part][where] += slopes[own].T @ (weight[own] * e[own])
    return _jackknife(matrices, rights)


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
