# SPDX-License-Identifier: GPL-3.0-or-later
"""The range of a depth map, and its camera's focal length, from measured lengths between points of the picture.

One length has one unknown to give: the scale. More of them, at different depths and in different directions, also give
the shift, then the focal length; what they do not determine stays as it was. Called by the scene's calibration.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..errors import MarigoldError
from .calibration import AGREE, MOST_DISAGREEMENT, Calibration, confidence_of
from .camera import Camera
from .unprojection import unproject

MEASURED_WITHIN = 0.02  # how well a length and its two ends are usually known, as a share of it
KNOWN_RATIO = 0.3  # standard deviations (of logarithms) up to which the lengths count as determining something
KNOWN_FOCAL = 0.2
KEPT_MAY_BE_OFF = {1: 0.2, 2: 0.05}  # by how much distances may, where ratio and focal length are only taken over
LOOSE = np.array([100.0, 2.0, 0.5])  # what is assumed beforehand of scale, shift / scale and focal length: little
RATIOS = (0.02, 0.1, 0.3, 1.0, 5.0)  # of shift to scale, from where the search starts
FOCALS = (0.6, 1.0, 1.6)  # times the focal length as it was
ITERATIONS = 40


@dataclass(frozen=True)
class MeasuredLengths:
    """Lengths between pairs of points.

    Attributes:
        pixels: [N, 2, 2] both ends of each, in pixels of the picture (see `Camera`).
        depth: [N, 2] depth at both ends, 0 near .. 1 far.
        length: [N] in the unit that near and far shall have.
    """

    pixels: np.ndarray
    depth: np.ndarray
    length: np.ndarray


def fit_to_lengths(lengths: MeasuredLengths, camera: Camera, near: float, far: float) -> Calibration:
    """The range and the focal length that give the pairs of points their measured lengths.

    Args:
        camera, near, far: as they are now: the start, and what stays where the lengths do not tell.

    Raises:
        MarigoldError: there is no usable length, or they contradict each other (`bad_input`).
    """
    if len(lengths.length) == 0:
        raise MarigoldError("bad_input", "A measured length is needed: pick its two ends, then enter it.")
    apart = np.linalg.norm(lengths.pixels[:, 0] - lengths.pixels[:, 1], axis=1)
    if not (np.isfinite(lengths.length).all() and (lengths.length > 0).all() and (apart > 0.5).all()):
        raise MarigoldError("bad_input", "A length must be larger than zero, between two different points.")
    values, deviations, free = _determined(lengths, camera, near, far)
    errors = np.abs(_Problem(lengths, camera, 0.0).misfits(values))
    if np.median(errors) > MOST_DISAGREEMENT:
        raise MarigoldError(
            "bad_input", "The lengths contradict each other or the depth: check them and where their ends were picked."
        )
    agreeing = errors <= max(2.5 * 1.4826 * float(np.median(errors)), 2 * AGREE)
    if not agreeing.all():  # even weakly, wrong lengths would still pull
        values, deviations, free = _determined(_chosen(lengths, agreeing), camera, near, far)
        errors = np.abs(_Problem(lengths, camera, 0.0).misfits(values))
    scale, ratio = math.exp(values[0]), math.exp(values[1])
    kept = " and ".join(
        name for index, name in ((1, "the ratio of near to far"), (2, "the focal length")) if index not in free
    )
    expected = math.hypot(deviations[0], *(KEPT_MAY_BE_OFF[index] for index in (1, 2) if index not in free))
    return Calibration(
        method="LENGTHS",
        near=scale * ratio,
        far=scale * (ratio + 1),
        focal_px=camera.focal_px * math.exp(values[2]) if 2 in free else None,
        residual=float(np.median(errors[agreeing])),
        inliers=int(agreeing.sum()),
        count=len(agreeing),
        expected_error=expected,
        confidence=confidence_of(expected, float(agreeing.mean())),
        kept=kept,
    )


def _chosen(lengths: MeasuredLengths, which: np.ndarray) -> MeasuredLengths:
    return MeasuredLengths(lengths.pixels[which], lengths.depth[which], lengths.length[which])


def _determined(
    lengths: MeasuredLengths, camera: Camera, near: float, far: float
) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """The values that the lengths give, their standard deviations, and which of the three are determined."""
    problem = _Problem(lengths, camera, math.log(near / (far - near)))
    for free in ((0, 1, 2), (0, 1)):
        if len(lengths.length) >= len(free):
            values, deviations = problem.solve(free)
            if deviations[1] < KNOWN_RATIO and deviations[2] < KNOWN_FOCAL:
                return values, deviations, free
    return *problem.solve((0,)), (0,)


class _Problem:
    """Least squares of the lengths' relative errors over the logarithms of scale, shift / scale and focal length."""

    def __init__(self, lengths: MeasuredLengths, camera: Camera, log_ratio: float) -> None:
        self._lengths = lengths
        self._camera = camera
        self._before = np.array([0.0, log_ratio, 0.0])

    def misfits(self, values: np.ndarray) -> np.ndarray:
        """[N] logarithm of each length over the measured one."""
        camera = replace(self._camera, focal_px=self._camera.focal_px * math.exp(values[2]))
        metric = math.exp(values[0]) * (math.exp(values[1]) + self._lengths.depth)
        ends = unproject(camera, self._lengths.pixels, metric)
        length = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
        return np.log(np.maximum(length, 1e-12) / self._lengths.length)

    def solve(self, free: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """The best values with only those in `free` changed, and the standard deviations of all three."""
        starts = []
        for ratio in (self._before[1], *map(math.log, RATIOS)) if 1 in free else (self._before[1],):
            for focal in map(math.log, FOCALS if 2 in free else (1.0,)):
                start = np.array([0.0, ratio, focal])
                start[0] = -float(np.median(self.misfits(start)))
                starts.append(self._descend(start, free))
        values = min(starts, key=self._cost)
        columns = self._slopes(values, free)
        misfits = self.misfits(values)
        weights = self._weights(misfits) / MEASURED_WITHIN**2
        # How well the lengths agree says how well they were measured; two more that agree as usual guard against luck.
        spare = max(len(misfits) - len(free), 0)
        seen = 1.4826 * float(np.median(np.abs(misfits))) / MEASURED_WITHIN  # as if normally distributed
        weights /= (spare * seen**2 + 2) / (spare + 2)
        prior = np.diag(1 / LOOSE[list(free)] ** 2)
        deviations = np.zeros(3)
        deviations[list(free)] = np.sqrt(np.diag(np.linalg.inv((columns.T * weights) @ columns + prior)))
        return values, deviations

    def _descend(self, values: np.ndarray, free: tuple[int, ...]) -> np.ndarray:
        """Levenberg-Marquardt, with the weights of a Cauchy loss so that a wrong length does not decide."""
        chosen, damping, cost = list(free), 1e-3, self._cost(values)
        prior = 1 / LOOSE[chosen] ** 2
        for _ in range(ITERATIONS):
            misfits = self.misfits(values)
            weights = self._weights(misfits) / MEASURED_WITHIN**2
            columns = self._slopes(values, free)
            normal = (columns.T * weights) @ columns + np.diag(prior)
            gradient = columns.T @ (weights * misfits) + prior * (values - self._before)[chosen]
            step = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), -gradient)
            tried = values.copy()
            tried[chosen] += np.clip(step, -1, 1)
            tried_cost = self._cost(tried)
            if tried_cost < cost:
                values, cost, damping = tried, tried_cost, damping / 5
                if np.abs(step).max() < 1e-10:
                    break
            else:
                damping *= 10
        return values

    def _cost(self, values: np.ndarray) -> float:
        misfits = self.misfits(values) / MEASURED_WITHIN
        loss = 25 * np.log1p(misfits**2 / 25).sum()
        return float(loss + (((values - self._before) / LOOSE) ** 2).sum())

    @staticmethod
    def _weights(misfits: np.ndarray) -> np.ndarray:
        return np.asarray(1 / (1 + (misfits / MEASURED_WITHIN) ** 2 / 25))

    def _slopes(self, values: np.ndarray, free: tuple[int, ...]) -> np.ndarray:
        """[N, len(free)] derivatives of the misfits, by central differences."""
        columns = []
        for index in free:
            step = np.zeros(3)
            step[index] = 1e-5
            columns.append((self.misfits(values + step) - self.misfits(values - step)) / 2e-5)
        return np.stack(columns, axis=1)
