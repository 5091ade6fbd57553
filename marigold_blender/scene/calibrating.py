# SPDX-License-Identifier: GPL-3.0-or-later
"""Calibrates a depth image: gathers what is known of its distances, finds near, far and camera, and stores all of it.

Called by `operators/calibrate.py` and by scripts. Everything that follows the depth image moves at once.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from pathlib import Path

import bpy
import numpy as np

from ..errors import MarigoldError
from ..geometry.calibration import Calibration, Method, fit_scale_and_shift
from ..geometry.calibration_by_lengths import MeasuredLengths, fit_to_lengths
from ..geometry.camera import Camera
from ..geometry.known_distances import beside, lattice, planar_from_straight, same_view
from ..geometry.self_calibration.calibrate import self_calibrate
from ..geometry.self_calibration.result import SelfCalibration
from .depth_image import DepthPixels, read_pixels, record_of
from .following import camera_of
from .images import array_from_image
from .known_places import depth_at, in_pixels
from .metric_file import read_metric_depth
from .scene_camera import chosen_camera, clip_camera, scene_camera
from .seen_geometry import seen_distances
from .self_calibrated import calibration_from, note_of, stored_self_calibration
from .tracked_markers import marker_distances

FEWEST_SEEN = 10


@dataclass(frozen=True)
class Known:
    """What is known of the distances, as `CalibrationInputs` holds it. Distances are in the scene's units.

    Attributes:
        points: (u, v, distance) each; places are (0, 0) bottom left .. (1, 1) top right.
        lengths: (u, v, u, v, length) each.
    """

    method: Method
    points: tuple[tuple[float, ...], ...] = ()
    measure: str = "STRAIGHT"
    lengths: tuple[tuple[float, ...], ...] = ()
    clip: bpy.types.MovieClip | None = None
    frame: int = 0
    camera: bpy.types.Object | None = None
    file: str = ""
    unit: str = "METRES"


@dataclass(frozen=True)
class Found:
    """A calibration, the camera if that was found too, and what to tell the user beside the figures."""

    calibration: Calibration
    camera: Camera | None = None
    note: str = ""


def known_of(image: bpy.types.Image) -> Known:
    """What is stored with the depth image; places whose distance is not entered yet are left out."""
    stored = image.marigold.known
    return Known(
        method=stored.method,
        points=tuple((*point.place, point.distance) for point in stored.points if point.distance > 0),
        measure=stored.measure,
        lengths=tuple((*known.start, *known.end, known.length) for known in stored.lengths if known.length > 0),
        clip=stored.clip,
        frame=stored.frame,
        camera=stored.camera,
        file=stored.file,
        unit=stored.unit,
    )


def calibrate(context: bpy.types.Context, image: bpy.types.Image, known: Known) -> Found:
    """Finds and stores near and far, and the camera where it is found too; nothing is changed on failure.

    Raises:
        MarigoldError: not a depth image, or what is known does not determine its range (`bad_input`).
    """
    record_of(image)
    pixels = read_pixels(image)
    found = FINDERS[known.method](context, image, pixels, known)
    store(image, found, known)
    return found


def store(image: bpy.types.Image, found: Found, known: Known) -> None:
    """Writes a calibration to its depth image, with what it was found from."""
    properties, calibration = image.marigold, found.calibration
    properties.calibrated = "SELF" if calibration.method == "SELF" else "CALIBRATED"
    properties.calibration = json.dumps({**calibration.to_json(), "note": found.note})
    _store_known(image, known)
    values = {"near": calibration.near, "far": calibration.far}
    if found.camera is not None:
        camera = found.camera
        values |= {"focal_px": camera.focal_px, "cx": camera.cx, "cy": camera.cy, "pixel_aspect": camera.pixel_aspect}
    elif calibration.focal_px is not None:
        values["focal_px"] = calibration.focal_px
    properties.move(**values)


def calibration_of(image: bpy.types.Image) -> tuple[Calibration, str] | None:
    """The stored calibration and its note; None: there is none, or near and far were changed by hand since."""
    properties = image.marigold
    if properties.calibrated == "ASSUMED" or not properties.calibration:
        return None
    stored = json.loads(properties.calibration)
    note = stored.pop("note", "")
    calibration = Calibration.from_json(stored)
    pairs = ((properties.near, calibration.near), (properties.far, calibration.far))
    return (calibration, note) if all(math.isclose(*pair, rel_tol=1e-4) for pair in pairs) else None


def metres_per_unit(scene: bpy.types.Scene) -> float:
    """How long a Blender unit is; a scene without units counts in metres."""
    settings = scene.unit_settings
    return 1.0 if settings.system == "NONE" else settings.scale_length


def _store_known(image: bpy.types.Image, known: Known) -> None:
    stored, before = image.marigold.known, known_of(image)
    for field in fields(known):
        if field.name not in {"points", "lengths"}:
            setattr(stored, field.name, getattr(known, field.name))
    if known.points != before.points:
        stored.points.clear()
        for u, v, distance in known.points:
            point = stored.points.add()
            point.place, point.distance = (u, v), distance
    if known.lengths != before.lengths:
        stored.lengths.clear()
        for *ends, length in known.lengths:
            measured = stored.lengths.add()
            measured.start, measured.end, measured.length = ends[:2], ends[2:], length


def _by_points(context: bpy.types.Context, image: bpy.types.Image, pixels: DepthPixels, known: Known) -> Found:
    points = np.array(known.points, float).reshape(-1, 3)
    depth = depth_at(image, pixels, points[:, :2])
    distances = points[:, 2]
    if known.measure == "STRAIGHT":
        distances = planar_from_straight(camera_of(image), in_pixels(image, points[:, :2]), distances)
    return Found(fit_scale_and_shift(depth, distances, method="POINTS"))


def _by_lengths(context: bpy.types.Context, image: bpy.types.Image, pixels: DepthPixels, known: Known) -> Found:
    lengths = np.array(known.lengths, float).reshape(-1, 5)
    places = lengths[:, :4].reshape(-1, 2)
    measured = MeasuredLengths(
        in_pixels(image, places).reshape(-1, 2, 2), depth_at(image, pixels, places).reshape(-1, 2), lengths[:, 4]
    )
    calibration = fit_to_lengths(measured, camera_of(image), image.marigold.near, image.marigold.far)
    return Found(calibration, note=f"Kept as it was: {calibration.kept}." if calibration.kept else "")


def _by_markers(context: bpy.types.Context, image: bpy.types.Image, pixels: DepthPixels, known: Known) -> Found:
    clip = known.clip or context.scene.active_clip
    markers = marker_distances(context.scene, clip, known.frame or context.scene.frame_current)
    camera = clip_camera(clip, image)
    depth = depth_at(image, pixels, markers.places, leave_out=True)
    calibration = fit_scale_and_shift(depth, markers.distances, method="MARKERS", focal_px=camera.focal_px)
    note = "" if markers.has_scale else "No camera of this scene follows the clip: the size is the reconstruction's."
    return Found(calibration, camera, note)


def _by_scene(context: bpy.types.Context, image: bpy.types.Image, pixels: DepthPixels, known: Known) -> Found:
    camera = scene_camera(context.scene, known.camera, image)
    rows, columns = lattice(pixels.depth, pixels.valid)
    centres = np.stack([columns + 0.5, rows + 0.5], axis=-1)
    distances = seen_distances(context, chosen_camera(context.scene, known.camera), camera, centres)
    if np.isfinite(distances).sum() < FEWEST_SEEN:
        raise MarigoldError(
            "bad_input", "The camera sees none of the scene's own geometry: put it where the photo was taken."
        )
    calibration = fit_scale_and_shift(pixels.depth[rows, columns], distances, method="SCENE", focal_px=camera.focal_px)
    return Found(calibration, camera)


def _by_file(context: bpy.types.Context, image: bpy.types.Image, pixels: DepthPixels, known: Known) -> Found:
    if not known.file:
        raise MarigoldError("bad_input", "Choose a file with the distance of every pixel: a Z pass (.exr) or .npy.")
    metric = read_metric_depth(Path(bpy.path.abspath(known.file)))
    if not same_view(metric, pixels.depth):
        height, width = pixels.depth.shape
        raise MarigoldError(
            "bad_input",
            f"“{known.file}” is {metric.shape[1]} x {metric.shape[0]}, the photo {width} x {height} pixels:"
            " choose the depth of the same picture.",
        )
    depth, distances = beside(pixels.depth, pixels.valid, metric)
    scale = metres_per_unit(context.scene) if known.unit == "METRES" else 1.0
    return Found(fit_scale_and_shift(depth, distances / scale, method="FILE"))


def _by_itself(context: bpy.types.Context, image: bpy.types.Image, pixels: DepthPixels, known: Known) -> Found:
    found = _found_by_the_worker(image) or _found_here(image, pixels)
    return Found(calibration_from(found, metres_per_unit(context.scene)), note=note_of(found))


def _found_by_the_worker(image: bpy.types.Image) -> SelfCalibration | None:
    """What stands in the record, as long as the camera is the one that it was found with: at once, not in a second."""
    camera, stored = camera_of(image), stored_self_calibration(record_of(image))
    centred = math.isclose(camera.cx, camera.width / 2, rel_tol=1e-4) and math.isclose(
        camera.cy, camera.height / 2, rel_tol=1e-4
    )
    same = stored is not None and math.isclose(camera.focal_px, stored.focal_px, rel_tol=1e-4)
    return stored if centred and same else None


def _found_here(image: bpy.types.Image, pixels: DepthPixels) -> SelfCalibration:
    camera = camera_of(image)
    is_default = math.isclose(camera.focal_px, Camera.from_fov(camera.width, camera.height).focal_px, rel_tol=1e-4)
    uncertainty = image.marigold.uncertainty
    return self_calibrate(
        pixels.depth,
        pixels.valid,
        focal_px=None if is_default else camera.focal_px,
        principal_point=(camera.cx, camera.cy),
        uncertainty=array_from_image(uncertainty)[..., 0] if uncertainty else None,
    )


FINDERS = {
    "POINTS": _by_points,
    "LENGTHS": _by_lengths,
    "MARKERS": _by_markers,
    "SCENE": _by_scene,
    "FILE": _by_file,
    "SELF": _by_itself,
}
