# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the planes is what the scene stands on. Called by `calibrate`."""

from __future__ import annotations

import numpy as np

from .fitting import Plane, residuals
from .right_angles import normals
from .samples import Samples

LEAST_AREA = 0.03
LEAST_UP = 0.35  # cosine to the picture's up: a camera that looks down by 70 degrees still sees a floor
MOST_BELOW = 0.12  # share of the picture that may lie below the floor: noise, stairs, mirrors
SUNK = 0.05  # of its distance: how far below the plane a point must be, to count as below


def find_floor(samples: Samples, planes: list[Plane], focal: float) -> Plane | None:
    """The largest plane that faces up, lies below the camera, and under nearly all that is seen; None where none does.

    Args:
        focal: in the samples' unit.
    """
    ups = [normals(plane.affine, focal)[1] for plane in planes]
    upward = [plane for plane, up in zip(planes, ups, strict=True) if plane.area >= LEAST_AREA and up >= LEAST_UP]
    standing = [plane for plane in upward if _share_below(samples, plane) <= MOST_BELOW]
    return max(standing, key=lambda plane: plane.area, default=None)


def _share_below(samples: Samples, plane: Plane) -> float:
    """How much of the picture is seen beyond the plane, through it."""
    residual, depth = residuals(samples, plane.affine, plane.shift)
    noise = 3 * plane.noise
    below = np.isfinite(depth) & (residual > SUNK * depth + noise)
    return float(samples.weight[below].sum()) / samples.total
