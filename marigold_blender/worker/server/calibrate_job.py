# SPDX-License-Identifier: GPL-3.0-or-later
"""Calibration of a depth file: by itself, or by what is known of its distances. Used by `marigold calibrate`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...depth_files.depth_map import DepthMap
from ...depth_files.names import SUFFIXES, depth_paths
from ...depth_files.read import read_depth
from ...depth_of_field.scene_depth import SKY_M, read_values
from ...errors import MarigoldError
from ...geometry.calibration import ASSUMED_RANGE, Calibration, fit_scale_and_shift
from ...geometry.calibration_by_lengths import MeasuredLengths, fit_to_lengths
from ...geometry.camera import Camera
from ...geometry.known_distances import beside, depth_at, planar_from_straight, same_view
from ...geometry.self_calibration.calibrate import self_calibrate
from ...geometry.self_calibration.result import SelfCalibration

SMALLEST_EDGE = 16  # pixels: in less there are no planes


@dataclass(frozen=True)
class CalibrateRequest:
    """What is to be calibrated.

    Attributes:
        depth: `NAME_depth.exr`, any EXR with a Z pass or one channel, or a `.npy` [H, W]; of any range, NaN or inf
            where there is nothing.
        focal_px, principal_point: in pixels; None where they are not known.
        uncertainty: a file like `depth`; empty: `NAME_uncertainty.exr` where it stands beside the depth.
    """

    depth: str
    focal_px: float | None = None
    principal_point: tuple[float, float] | None = None
    uncertainty: str = ""


@dataclass(frozen=True)
class KnownDistances:
    """What is known of a depth map's distances, in a unit of one's own: one of the three.

    Attributes:
        points: (x, y, distance) each; x and y in pixels from the upper left corner.
        planar: the points' distances are along the axis, as Z passes count, not straight from the lens.
        lengths: (x, y, x, y, length) each, between two points.
        metric: file with the distance of every pixel: a `.npy` [H, W] or an EXR with a Z pass; empty: none.
    """

    points: tuple[tuple[float, ...], ...] = ()
    planar: bool = False
    lengths: tuple[tuple[float, ...], ...] = ()
    metric: str = ""


@dataclass(frozen=True)
class _Given:
    """A depth file: depth [H, W] with NaN where there is nothing, what of it is valid, and what its record tells."""

    name: str
    depth: np.ndarray
    valid: np.ndarray | None = None
    uncertainty: np.ndarray | None = None
    focal_px: float | None = None
    range: tuple[float, float] = ASSUMED_RANGE


def run_calibrate(request: CalibrateRequest) -> SelfCalibration:
    """Find shift, focal length and floor of a depth file.

    A `NAME_depth.exr` with its record has its mask, its uncertainty and its photo's focal length from there.

    Raises:
        MarigoldError: a file is missing, damaged or no depth, or a number is impossible (`bad_input`).
    """
    given = _read(request)
    uncertainty = given.uncertainty
    if request.uncertainty:
        uncertainty = read_values(Path(request.uncertainty))
        if uncertainty.shape != given.depth.shape:
            raise MarigoldError("bad_input", f"{Path(request.uncertainty).name} is not as large as {given.name}.")
    return self_calibrate(
        given.depth,
        given.valid,
        focal_px=given.focal_px,
        principal_point=request.principal_point,
        uncertainty=uncertainty,
    )


def run_calibrate_by(request: CalibrateRequest, known: KnownDistances) -> Calibration:
    """Find the distances of depth 0 and of depth 1 of a depth file from what is known of it.

    Raises:
        MarigoldError: as `run_calibrate`; or what is known does not determine it (`bad_input`).
    """
    given = _read(request)
    depth = given.depth
    seen = depth[np.isfinite(depth)]
    low, high = float(seen.min()), float(seen.max())
    if low == high:
        raise MarigoldError("bad_input", f"{given.name} is the same everywhere: it tells no distances.")
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    unit = replace(given, depth=(depth - low) / (high - low))
    camera = _camera(given, request)
    if known.metric:
        found = _by_map(unit, Path(known.metric))
    elif known.lengths:
        found = _by_lengths(unit, camera, np.array(known.lengths, float))
    else:
        found = _by_points(unit, camera, np.array(known.points, float).reshape(-1, 3), known.planar)
    scale = (found.far - found.near) / (high - low)  # of the file's own values
    near = found.near - scale * low
    return replace(found, near=near, far=near + scale)


def _by_map(given: _Given, path: Path) -> Calibration:
    metric = _without_sky(read_values(path))
    if not (metric > 0).any():
        raise MarigoldError("bad_input", f"{path.name} holds no distances: all are zero, infinite or negative.")
    if not same_view(metric, given.depth):
        (height, width), (rows, columns) = given.depth.shape, metric.shape
        raise MarigoldError(
            "bad_input",
            f"{path.name} is {columns} x {rows}, {given.name} {width} x {height} pixels: give the depth of the same"
            " picture.",
        )
    return fit_scale_and_shift(*beside(given.depth, given.valid, metric), method="FILE")


def _by_lengths(given: _Given, camera: Camera, lengths: np.ndarray) -> Calibration:
    ends = lengths[:, :4].reshape(-1, 2)
    measured = MeasuredLengths(ends.reshape(-1, 2, 2), _depth_there(given, ends).reshape(-1, 2), lengths[:, 4])
    return fit_to_lengths(measured, camera, *given.range)


def _by_points(given: _Given, camera: Camera, points: np.ndarray, planar: bool) -> Calibration:
    places, distances = points[:, :2], points[:, 2]
    there = _depth_there(given, places)
    return fit_scale_and_shift(there, distances if planar else planar_from_straight(camera, places, distances))


def _read(request: CalibrateRequest) -> _Given:
    if request.focal_px is not None and not 0 < request.focal_px < np.inf:
        raise MarigoldError("bad_input", f"The focal length must be above 0, not {request.focal_px:g}.")
    path = Path(request.depth)
    files = depth_paths(path.parent, path.name.removesuffix(SUFFIXES["depth"]))
    if path.name.endswith(SUFFIXES["depth"]) and files["record"].is_file():
        given = _with_record(path, read_depth(path))
    else:
        given = _Given(path.name, _without_sky(read_values(path)))
    if request.focal_px is not None:
        given = replace(given, focal_px=request.focal_px)
    depth = given.depth
    if min(depth.shape) < SMALLEST_EDGE:
        raise MarigoldError(
            "bad_input",
            f"{path.name} is only {depth.shape[1]} x {depth.shape[0]} pixels: at least {SMALLEST_EDGE} are needed.",
        )
    if not np.isfinite(depth).any():
        raise MarigoldError("bad_input", f"{path.name} holds no depth at all: every pixel is infinite or not a number.")
    return given


def _with_record(path: Path, depth_map: DepthMap) -> _Given:
    record = depth_map.record
    known = ASSUMED_RANGE
    if record.self_calibration and (found := SelfCalibration.from_json(record.self_calibration)).sure:
        known = found.near_and_far()
    focal_px = record.camera.focal_px or None
    return _Given(path.name, depth_map.depth, depth_map.valid, depth_map.uncertainty, focal_px, known)


def _without_sky(values: np.ndarray) -> np.ndarray:
    """NaN where nothing is: there a Z pass holds 1e10."""
    return np.where(np.abs(values) < SKY_M, values, np.nan)


def _camera(given: _Given, request: CalibrateRequest) -> Camera:
    height, width = given.depth.shape
    camera = Camera.centred(width, height, given.focal_px) if given.focal_px else Camera.from_fov(width, height)
    if request.principal_point:
        camera = replace(camera, cx=request.principal_point[0], cy=request.principal_point[1])
    return camera


def _depth_there(given: _Given, places: np.ndarray) -> np.ndarray:
    """Depth [N] at places [N, 2] in pixels, all of which must have some."""
    height, width = given.depth.shape
    found = depth_at(given.depth, given.valid, places)
    for (x, y), value in zip(places, found, strict=True):
        if not (0 <= x <= width and 0 <= y <= height):
            raise MarigoldError(
                "bad_input", f"The place ({x:g}, {y:g}) is outside of {given.name}, {width} x {height} pixels."
            )
        if not np.isfinite(value):
            raise MarigoldError("bad_input", f"{given.name} has no depth at ({x:g}, {y:g}): choose another place.")
    return found
