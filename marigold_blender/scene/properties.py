# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type, misc"
"""What this extension stores in a .blend: on the depth image, and on the meshes and cameras that follow it.

Changing a depth image's range or camera moves, at once, every vertex and camera that was built from it.
"""

from __future__ import annotations

import json
from math import radians, tan
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from ..geometry.camera import Camera
from ..record import DepthRecord
from . import calibration_inputs
from .calibration_inputs import CalibrationInputs
from .following import camera_of, follow_depth
from .live_grid import regenerate_grid
from .self_calibrated import calibration_from, note_of, stored_self_calibration

SMALLEST_DISTANCE = 1e-4
LEAST_RANGE = 1.001  # far over near: where depth would be flat or turned inside out, the other end is pushed along

_moving_at_once = False  # while several properties of one image are set, nothing follows each single one


def _near_changed(self: Any, context: bpy.types.Context) -> None:
    if _moving_at_once:
        return
    if self.far < self.near * LEAST_RANGE:
        self.far = self.near * LEAST_RANGE * (1 + 1e-6)  # its own callback moves the vertices
    else:
        follow_depth(self.id_data)


def _far_changed(self: Any, context: bpy.types.Context) -> None:
    if _moving_at_once:
        return
    if self.far < self.near * LEAST_RANGE:
        self.near = max(self.far / LEAST_RANGE * (1 - 1e-6), SMALLEST_DISTANCE)
    else:
        follow_depth(self.id_data)


def _camera_changed(self: Any, context: bpy.types.Context) -> None:
    if not _moving_at_once:
        follow_depth(self.id_data)


def _focal_35mm(self: Any) -> float:
    return camera_of(self.id_data).focal_35mm


def _set_focal_35mm(self: Any, value: float) -> None:
    self.focal_px *= value / self.focal_35mm


def _fov(self: Any) -> float:
    return camera_of(self.id_data).fov


def _set_fov(self: Any, value: float) -> None:
    self.focal_px *= tan(self.fov / 2) / tan(value / 2)


class DepthProperties(bpy.types.PropertyGroup):
    """`image.marigold`: on a depth image the owner of everything known about it, on other images empty."""

    record: StringProperty(name="Record", description="How this depth was estimated, as JSON")
    model: StringProperty(name="Model", description="Model that estimated this depth")
    near: FloatProperty(
        name="Near",
        description="Distance from the camera of the nearest depth. Moving it past Far pushes Far along",
        subtype="DISTANCE",
        default=1.0,
        min=SMALLEST_DISTANCE,
        soft_max=100.0,
        update=_near_changed,
    )
    far: FloatProperty(
        name="Far",
        description="Distance from the camera of the farthest depth. Moving it before Near pushes Near along",
        subtype="DISTANCE",
        default=4.0,
        min=SMALLEST_DISTANCE * LEAST_RANGE * LEAST_RANGE,
        soft_max=1000.0,
        update=_far_changed,
    )
    focal_px: FloatProperty(
        name="Focal Length",
        description="Focal length of the photo's camera, in pixels of the photo",
        subtype="PIXEL",
        default=1000.0,
        min=1.0,
        soft_max=20000.0,
        update=_camera_changed,
    )
    cx: FloatProperty(
        name="Principal Point X",
        description="Where the camera's axis meets the photo, in pixels from its left edge",
        subtype="PIXEL",
        update=_camera_changed,
    )
    cy: FloatProperty(
        name="Principal Point Y",
        description="Where the camera's axis meets the photo, in pixels from its top edge",
        subtype="PIXEL",
        update=_camera_changed,
    )
    pixel_aspect: FloatProperty(
        name="Pixel Aspect",
        description="Width of the photo's pixels over their height: 1 but for anamorphic film and old video",
        default=1.0,
        min=0.1,
        max=10.0,
        update=_camera_changed,
    )
    focal_35mm: FloatProperty(
        name="35 mm Equivalent",
        description="Focal length that has the same view on 35 mm film, in mm",
        get=_focal_35mm,
        set=_set_focal_35mm,
        min=1.0,
        soft_max=1000.0,
    )
    fov: FloatProperty(
        name="Field of View",
        description="What the photo's camera sees along the longer edge",
        subtype="ANGLE",
        get=_fov,
        set=_set_fov,
        min=radians(1.0),
        max=radians(170.0),
    )
    calibrated: EnumProperty(
        name="Scale",
        description="Whether near and far are known or assumed",
        items=[
            ("ASSUMED", "Assumed", "Near and far are a guess: the model knows depth up to a scale and a shift only"),
            ("SELF", "Self-Calibrated", "Shapes come from planes and right angles in the picture, the size is a guess"),
            ("CALIBRATED", "Calibrated", "Near and far come from known distances"),
        ],
        default="ASSUMED",
    )
    calibration: StringProperty(
        name="Calibration", description="How near and far were found, and how well it is known, as JSON"
    )
    known: PointerProperty(
        type=CalibrationInputs, name="Known", description="What near and far are found from: points, lengths, a clip"
    )
    photo: PointerProperty(type=bpy.types.Image, name="Photo", description="The photo that this is the depth of")
    mask: PointerProperty(
        type=bpy.types.Image, name="Mask", description="White where the depth counts; empty when it counts everywhere"
    )

    uncertainty: PointerProperty(
        type=bpy.types.Image,
        name="Uncertainty",
        description="How far the members of the ensemble disagree, as a share of the depth range; empty for a single"
        " prediction",
    )

    def move(self, **values: float) -> None:
        """Set near, far and properties of the camera; what follows the depth is moved once, not once for each."""
        global _moving_at_once
        _moving_at_once = True
        try:
            for name, value in values.items():
                setattr(self, name, value)
        finally:
            _moving_at_once = False
        follow_depth(self.id_data)

    def fill_from(self, record: DepthRecord) -> None:
        """Fill in the properties of a new depth image from its record."""
        width, height = record.width, record.height
        focal_px = record.camera.focal_px
        camera = Camera.centred(width, height, focal_px) if focal_px else Camera.from_fov(width, height)
        self.record, self.model = record.dumps(), record.model
        self.focal_px, self.cx, self.cy = camera.focal_px, camera.cx, camera.cy
        found = stored_self_calibration(record)
        if found is not None and found.sure:
            calibration = calibration_from(found)
            self.calibrated, self.calibration = "SELF", json.dumps({**calibration.to_json(), "note": note_of(found)})
            self.near, self.far = calibration.near, calibration.far
            if calibration.focal_px is not None:
                self.focal_px = calibration.focal_px


MODES = [
    ("PERSPECTIVE", "Perspective", "Every point of the photo at its place before the camera"),
    ("RELIEF", "Relief", "An upright plane, displaced straight towards the viewer"),
]


def _density_changed(self: Any, context: bpy.types.Context) -> None:
    if self.live:
        regenerate_grid(self.id_data)


class PhotoMeshProperties(bpy.types.PropertyGroup):
    """`mesh.marigold`: which depth image the mesh follows, and how."""

    depth: PointerProperty(type=bpy.types.Image, name="Depth", description="The depth image that this mesh follows")
    mode: EnumProperty(name="Mode", description="How depth becomes a surface", items=MODES)
    perspective: FloatProperty(
        name="Perspective",
        description="Of a perspective mesh: how far it is unprojected; less mixes it with a relief",
        subtype="FACTOR",
        default=1.0,
        min=0.0,
        max=1.0,
    )
    worst_error: FloatProperty(
        name="Worst Error",
        description="Of a mesh with a triangle budget: the largest error, as a share of the distance (of a relief: of"
        " the depth range)",
    )
    mean_error: FloatProperty(
        name="Mean Error", description="Of a mesh with a triangle budget: the root mean square of the same error"
    )
    live: BoolProperty(
        name="Live", description="The mesh is the grid of a live modifier, which places its vertices and cuts it"
    )
    vertices: IntProperty(
        name="Vertices",
        description="Number of vertices of the live grid. Changing it makes the grid anew",
        min=100,
        soft_max=4_000_000,
        max=50_000_000,
        default=200_000,
        update=_density_changed,
    )


class PhotoCameraProperties(bpy.types.PropertyGroup):
    """`camera.marigold`: which depth image the camera follows."""

    depth: PointerProperty(type=bpy.types.Image, name="Depth", description="The depth image that this camera follows")
    mode: EnumProperty(name="Mode", description="How depth becomes a surface", items=MODES)


OWNERS = {
    bpy.types.Image: DepthProperties,
    bpy.types.Mesh: PhotoMeshProperties,
    bpy.types.Camera: PhotoCameraProperties,
}


def register() -> None:
    for part in calibration_inputs.CLASSES:
        bpy.utils.register_class(part)
    for owner, group in OWNERS.items():
        bpy.utils.register_class(group)
        owner.marigold = PointerProperty(type=group)


def unregister() -> None:
    for owner, group in reversed(OWNERS.items()):
        del owner.marigold
        bpy.utils.unregister_class(group)
    for part in reversed(calibration_inputs.CLASSES):
        bpy.utils.unregister_class(part)
