# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type, misc"
"""What this extension stores in a .blend: on the depth image, and on the meshes and cameras that follow it.

Changing a depth image's range or camera moves, at once, every vertex and camera that was built from it.
"""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import EnumProperty, FloatProperty, PointerProperty, StringProperty

from ..geometry.camera import Camera
from ..record import DepthRecord
from .following import follow_depth

SMALLEST_DISTANCE = 1e-4
LEAST_RANGE = 1.001  # far over near: where depth would be flat or turned inside out, the other end is pushed along


def _near_changed(self: Any, context: bpy.types.Context) -> None:
    if self.far < self.near * LEAST_RANGE:
        self.far = self.near * LEAST_RANGE * (1 + 1e-6)  # its own callback moves the vertices
    else:
        follow_depth(self.id_data)


def _far_changed(self: Any, context: bpy.types.Context) -> None:
    if self.far < self.near * LEAST_RANGE:
        self.near = max(self.far / LEAST_RANGE * (1 - 1e-6), SMALLEST_DISTANCE)
    else:
        follow_depth(self.id_data)


def _camera_changed(self: Any, context: bpy.types.Context) -> None:
    follow_depth(self.id_data)


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
    calibrated: EnumProperty(
        name="Scale",
        description="Whether near and far are known or assumed",
        items=[
            ("ASSUMED", "Assumed", "Near and far are a guess: the model knows depth up to a scale and a shift only"),
            ("CALIBRATED", "Calibrated", "Near and far come from known distances"),
        ],
        default="ASSUMED",
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

    def fill_from(self, record: DepthRecord) -> None:
        """Fill in the properties of a new depth image from its record."""
        width, height = self.id_data.size
        focal_px = record.camera.focal_px
        camera = Camera.centred(width, height, focal_px) if focal_px else Camera.from_fov(width, height)
        self.record, self.model = record.dumps(), record.model
        self.focal_px, self.cx, self.cy = camera.focal_px, camera.cx, camera.cy


MODES = [
    ("PERSPECTIVE", "Perspective", "Every point of the photo at its place before the camera"),
    ("RELIEF", "Relief", "An upright plane, displaced straight towards the viewer"),
]


class PhotoMeshProperties(bpy.types.PropertyGroup):
    """`mesh.marigold`: which depth image the mesh follows."""

    depth: PointerProperty(type=bpy.types.Image, name="Depth", description="The depth image that this mesh follows")
    mode: EnumProperty(name="Mode", description="How depth becomes a surface", items=MODES)


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
    for owner, group in OWNERS.items():
        bpy.utils.register_class(group)
        owner.marigold = PointerProperty(type=group)


def unregister() -> None:
    for owner, group in reversed(OWNERS.items()):
        del owner.marigold
        bpy.utils.unregister_class(group)
