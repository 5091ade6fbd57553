# SPDX-License-Identifier: GPL-3.0-or-later
"""All planes of the picture for a known shift, and how well they explain it. Called by `shift`."""

from __future__ import annotations

import numpy as np

from .fitting import Plane, dense, fit_plane
from .hypotheses import best_planes
from .samples import Samples

MOST_PLANES = 8
LEAST_AREA = 0.02  # of the picture, beyond what other planes explain
LOOSEST = 0.05  # of the depth range: a plane with noise like this tells nothing


def explained(plane: Plane, area: float) -> float:
    """What a plane tells of `area` of the picture: the logarithm of its likelihood, but for constants."""
    return area * float(np.log(max(LOOSEST / plane.noise, 1.0)))


def find_planes(
    samples: Samples, corners: np.ndarray, shift: float, tolerance: float, known: list[Plane]
) -> list[Plane]:
    """The planes of the picture for a shift: those guessed anew and those `known`, refined; no pixel is on two."""
    fitted = [fit_plane(samples, p.affine, shift, 3 * p.noise, free_shift=False, rounds=5) for p in known]
    for guess in best_planes(samples, corners, shift, tolerance, MOST_PLANES, LEAST_AREA):
        fitted.append(fit_plane(samples, guess, shift, tolerance, free_shift=False, rounds=5))
    return divide(samples, [plane for plane in fitted if plane is not None])


def divide(samples: Samples, planes: list[Plane]) -> list[Plane]:
    """Each pixel to one plane: the one that tells most of what no other has taken comes first, again and again."""
    left, divided = samples.weight > 0, []
    while planes:
        areas = [float(samples.weight[plane.on & left].sum()) / samples.total for plane in planes]
        told = [explained(plane, area) for plane, area in zip(planes, areas, strict=True)]
        most = int(np.argmax(told))
        plane = planes[most]
        own = dense(samples, plane.on & left)
        area = float(samples.weight[own].sum()) / samples.total
        if area >= LEAST_AREA:
            divided.append(Plane(plane.affine, plane.shift, plane.noise, own, area))
        left &= ~plane.on
        planes = [p for n, p in enumerate(planes) if n != most and areas[n] >= LEAST_AREA]
    return divided
