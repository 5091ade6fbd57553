# SPDX-License-Identifier: GPL-3.0-or-later
"""Chooses cameras that see something: proposals from a family (or free places in any scene), tested by casting rays."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import bpy
import numpy as np
from mathutils import Vector

SENSOR_MM = 36.0  # along the longer edge
RAYS = (13, 10)
MAX_SKY = 0.75
MIN_RANGE = 1.25  # the 95 % depth is at least this many times the 5 % depth


@dataclass(frozen=True)
class View:
    """A camera: where it stands, what it looks at (metres, world space), lens in mm on a 36 mm wide sensor.

    Attributes:
        roll: radians about the line of sight.
        f_stop: 0 for a sharp picture; else the aperture, focused at `target`.
    """

    eye: tuple[float, float, float]
    target: tuple[float, float, float]
    lens_mm: float
    roll: float = 0.0
    f_stop: float = 0.0


Propose = Callable[[np.random.Generator], View]


def random_lens(rng: np.random.Generator, low: float = 18.0, high: float = 85.0) -> float:
    """A focal length, log-uniform: wide lenses are as common as long ones."""
    return float(math.exp(rng.uniform(math.log(low), math.log(high))))


def choose_views(
    rng: np.random.Generator, propose: Propose, count: int, aspect: float, nearest_m: float, tries: int = 25
) -> list[View]:
    """Up to `count` proposals that pass `sees_something`.

    Args:
        aspect: width over height of the pictures.
        nearest_m: reject cameras that have anything nearer than this in view.
        tries: proposals for each view before it is given up.
    """
    views: list[View] = []
    for _ in range(count * tries):
        if len(views) == count:
            break
        view = propose(rng)
        if sees_something(view, aspect, nearest_m):
            views.append(view)
    return views


def sees_something(view: View, aspect: float, nearest_m: float) -> bool:
    """Whether a coarse raster of rays finds depth worth learning: not all sky, not flat, nothing too near."""
    depths, backs = cast_rays(view, aspect)
    hit = np.isfinite(depths)
    if hit.mean() < 1 - MAX_SKY or backs.mean() > 0.02:
        return False
    near, far = np.percentile(depths[hit], (5, 95))
    return bool(depths[hit].min() > nearest_m and (far > MIN_RANGE * near or hit.mean() < 0.9))


def moving_view(rng: np.random.Generator, view: View, frames: int, aspect: float, nearest_m: float) -> list[View]:
    """A clip: `frames` views along a short straight flight from `view` that stays clear of things."""
    away = math.dist(view.eye, view.target)
    for reach in (0.3, 0.2, 0.1, 0.05):
        travel = rng.normal(0, 1, 3) * (1, 1, 0.3)
        travel *= reach * away / np.linalg.norm(travel)
        drift = travel * rng.uniform(0, 0.8)
        path = [_shifted(view, travel * t, drift * t) for t in np.linspace(0, 1, frames)]
        if all(sees_something(path[i], aspect, nearest_m) for i in (len(path) // 2, -1)):
            return path
    return [view] * frames


def _shifted(view: View, eye: np.ndarray, target: np.ndarray) -> View:
    ex, ey, ez = (float(a + b) for a, b in zip(view.eye, eye, strict=True))
    tx, ty, tz = (float(a + b) for a, b in zip(view.target, target, strict=True))
    return replace(view, eye=(ex, ey, ez), target=(tx, ty, tz))


def cast_rays(view: View, aspect: float) -> tuple[np.ndarray, np.ndarray]:
    """Planar depth (metres, inf for sky) and whether the back of a face was hit, for RAYS rays over the picture."""
    scene, graph = bpy.context.scene, bpy.context.evaluated_depsgraph_get()
    eye = Vector(view.eye)
    turn = (Vector(view.target) - eye).to_track_quat("-Z", "Y")
    half = SENSOR_MM / 2 / view.lens_mm
    half_x, half_y = (half, half / aspect) if aspect >= 1 else (half * aspect, half)
    depths, backs = [], []
    for v in np.linspace(-0.97, 0.97, RAYS[1]):
        for u in np.linspace(-0.97, 0.97, RAYS[0]):
            ray = turn @ Vector((u * half_x, v * half_y, -1.0))
            hit, place, normal, *_ = scene.ray_cast(graph, eye, ray)
            depths.append((place - eye).dot(turn @ Vector((0, 0, -1))) if hit else math.inf)
            backs.append(hit and normal.dot(ray) > 0)
    return np.array(depths), np.array(backs)


def place_camera(view: View, width: int, height: int) -> bpy.types.Object:
    """Make `view` the scene's camera for pictures of width x height."""
    scene = bpy.context.scene
    camera = scene.camera or bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    if scene.camera is None:
        scene.collection.objects.link(camera)
        scene.camera = camera
    data = camera.data
    data.sensor_fit = "HORIZONTAL"
    data.sensor_width = SENSOR_MM
    data.lens = view.lens_mm * max(width, height) / width  # `lens_mm` counts along the longer edge
    data.clip_start, data.clip_end = 0.01, 5000.0
    data.dof.use_dof = view.f_stop > 0
    if view.f_stop > 0:
        data.dof.aperture_fstop = view.f_stop
        data.dof.focus_distance = (Vector(view.target) - Vector(view.eye)).length
    turn = (Vector(view.target) - Vector(view.eye)).to_track_quat("-Z", "Y").to_matrix()
    camera.matrix_world = turn.to_4x4()
    camera.location = view.eye
    camera.rotation_mode = "XYZ"
    camera.rotation_euler.rotate_axis("Z", view.roll)
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = width, height, 100
    return camera
