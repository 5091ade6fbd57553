# SPDX-License-Identifier: GPL-3.0-or-later
"""Self-calibration: shift, focal length and floor of an affine-invariant depth map, from the map alone.

Called by the worker for every depth map, by `marigold calibrate` and by `marigold.calibrate_depth`. About a second.
"""

from __future__ import annotations

import math

import numpy as np

from ..camera import DEFAULT_FOV_DEG
from .fitting import Plane
from .floor import find_floor
from .result import FocalOrigin, FoundPlane, SelfCalibration, Vector
from .right_angles import SURE_ERROR, Focal, focal_from_right_angles, normals
from .samples import Samples, take_samples
from .shift import Shift, find_shift

SAMPLES = 4000
SEED = 6
ASSUMED_RATIO = 1 / 3  # near 1, far 4: as a depth image has it until it is calibrated
SURE_OF_SHIFT = 0.2  # relative error that is expected at most
# What smooth noise adds to the expected error, which leaving parts out does not show; a small r is told less well.
ERROR_PER_NOISE, ERROR_PER_NOISE_OVER_SHIFT = 10.0, 0.5
TELLING_VARIATION = 0.15  # share by which disparity must vary over a plane to tell the shift
TELLING_AREA = 0.07  # of the picture
DEFAULT_CONFIDENCE = 0.2  # of the default field of view


def self_calibrate(
    depth: np.ndarray,
    valid: np.ndarray | None = None,
    *,
    focal_px: float | None = None,
    principal_point: tuple[float, float] | None = None,
    uncertainty: np.ndarray | None = None,
) -> SelfCalibration:
    """Find shift, focal length and floor.

    Args:
        depth: [H, W] floating point, affine-invariant, larger is farther; of any range, and NaN or inf where unknown.
        valid: [H, W] bool; None where all finite pixels count.
        focal_px: focal length in pixels of the map where it is known.
        principal_point: in pixels of the map, centres at + 0.5; its middle where it is not known.
        uncertainty: [H, W], of an ensemble: uncertain pixels count less.

    Returns:
        The calibration; where the picture has no planes that tell, it says so and holds what is usual.
    """
    height, width = depth.shape
    centre = principal_point or (width / 2, height / 2)
    samples = take_samples(depth, valid, centre, uncertainty, SAMPLES)
    shift = find_shift(samples, np.random.default_rng(SEED)) if samples.total > 0 else None
    planes = shift.planes if shift else []
    focal, origin, focal_confidence = _choose_focal(samples, planes, focal_px)
    error = _expected_error(samples, shift)
    floor = find_floor(samples, planes, focal)
    described = [_described(samples, plane, focal) for plane in planes]
    sure = error < SURE_OF_SHIFT
    return SelfCalibration(
        shift_over_scale=_assumed_shift(samples) if shift is None else shift.value * samples.span - samples.lowest,
        expected_error=min(error, 1.0),
        confidence=0.5 ** (error / SURE_OF_SHIFT),
        sure=sure,
        focal_px=focal * samples.unit_px,
        focal_origin=origin,
        focal_confidence=focal_confidence,
        floor=described[planes.index(floor)] if floor and sure else None,
        planes=tuple(sorted(described, key=lambda plane: plane.area, reverse=True)),
    )


def _assumed_shift(samples: Samples) -> float:
    return ASSUMED_RATIO * samples.span - samples.lowest


def _choose_focal(samples: Samples, planes: list[Plane], focal_px: float | None) -> tuple[float, FocalOrigin, float]:
    """Focal length in the samples' unit, where it comes from, and how far to trust it."""
    if focal_px is not None:
        return focal_px / samples.unit_px, "given", 1.0
    found: Focal | None = focal_from_right_angles(planes)
    if found is not None and found.error < SURE_ERROR and found.agreement > 0.4:
        return found.value, "right angles", 0.5 ** (found.error / SURE_ERROR) * found.agreement
    return 1.0 / math.tan(math.radians(DEFAULT_FOV_DEG) / 2), "default", DEFAULT_CONFIDENCE


def _expected_error(samples: Samples, shift: Shift | None) -> float:
    """Relative error of the shift that is to be expected; infinite where the planes tell nothing."""
    if shift is None:
        return math.inf
    telling = [plane for plane in shift.planes if _variation(samples, plane) >= TELLING_VARIATION]
    area = sum(plane.area for plane in telling)
    if area < TELLING_AREA:
        return math.inf
    noise = sum(plane.area * plane.noise for plane in telling) / area
    return math.hypot(shift.error / shift.value, (ERROR_PER_NOISE + ERROR_PER_NOISE_OVER_SHIFT / shift.value) * noise)


def _variation(samples: Samples, plane: Plane) -> float:
    """How much of itself the plane's disparity varies over its pixels."""
    low, high = np.percentile(samples.rays[plane.on] @ plane.affine, (1.0, 99.0))
    return float(1.0 - low / high) if high > 0 else 0.0


def _described(samples: Samples, plane: Plane, focal: float) -> FoundPlane:
    x, y, z = (float(value) for value in normals(plane.affine, focal))
    normal: Vector = (x, y, z)
    a, b, c = plane.affine
    return FoundPlane(normal, -samples.span / math.hypot(a * focal, b * focal, c), plane.area)
