# SPDX-License-Identifier: GPL-3.0-or-later
"""Meshes and cameras that follow a depth image: called when they are built, and whenever its properties change."""

from __future__ import annotations

import bpy
import numpy as np

from ..geometry.camera import Camera
from ..geometry.unprojection import metric_depth, relief, relief_width, unproject
from .depth_of_field_lens import follow_in_passes
from .depth_size import depth_size
from .live_modifier import follow_in_modifiers

DEPTH_ATTRIBUTE = "depth"  # FLOAT on points: 0 near .. 1 far
PICTURE_ATTRIBUTE = "picture"  # FLOAT2 on points: place in the photo, (0, 0) bottom left .. (1, 1) top right


def follow_depth(image: bpy.types.Image) -> None:
    """Puts the vertices of every mesh, the lens of every camera, and every depth of field where their depth image says.

    A live mesh keeps its vertices: the inputs of its modifier are set.

    Never raises: what cannot be moved (linked from a library, its attributes removed, in Edit Mode) stays as it is.
    """
    for mesh in bpy.data.meshes:
        if mesh.marigold.depth == image:
            _follow_in_mesh(mesh)
    for camera in bpy.data.cameras:
        if camera.marigold.depth == image:
            aim_camera(camera)
    follow_in_passes(image)


def _follow_in_mesh(mesh: bpy.types.Mesh) -> None:
    properties = mesh.marigold
    # Once its modifier has been applied, a live mesh is like any other.
    if not (properties.live and follow_in_modifiers(mesh, camera_of(properties.depth))):
        place_vertices(mesh)


def place_vertices(mesh: bpy.types.Mesh) -> None:
    """Computes the position of every vertex from its depth and its place in the photo, in camera space."""
    properties = mesh.marigold
    count = len(mesh.vertices)
    depth = _values(mesh, DEPTH_ATTRIBUTE, "FLOAT", "value", count)
    picture = _values(mesh, PICTURE_ATTRIBUTE, "FLOAT2", "vector", 2 * count)
    if mesh.library is not None or depth is None or picture is None:
        return
    image = properties.depth
    camera = camera_of(image)
    pixels = picture.reshape(-1, 2)
    pixels *= np.array([camera.width, -camera.height], np.float32)
    pixels[:, 1] += camera.height
    metric = metric_depth(depth, image.marigold.near, image.marigold.far)
    share = properties.perspective if properties.mode == "PERSPECTIVE" else 0.0
    points = unproject(camera, pixels, metric)
    if share < 1.0:
        points += (relief(camera, pixels, metric, image.marigold.far) - points) * np.float32(1.0 - share)
    mesh.attributes["position"].data.foreach_set("vector", points.ravel())
    mesh.update()


def _values(mesh: bpy.types.Mesh, name: str, kind: str, field: str, length: int) -> np.ndarray | None:
    attribute = mesh.attributes.get(name)
    if attribute is None or (attribute.domain, attribute.data_type) != ("POINT", kind):
        return None
    if mesh.is_editmode or len(attribute.data) != len(mesh.vertices):
        return None
    values = np.empty(length, np.float32)
    attribute.data.foreach_get(field, values)
    return values


def aim_camera(data: bpy.types.Camera) -> None:
    """Sets lens, sensor, shift and clipping so that a render as large as the photo shows what the photo shows."""
    if data.library is not None:
        return
    image = data.marigold.depth
    camera, near, far = camera_of(image), image.marigold.near, image.marigold.far
    blender = camera.to_blender()
    data.sensor_fit = "HORIZONTAL"  # AUTO would turn to the height on portraits
    data.sensor_width, data.sensor_height = blender.sensor_width_mm, blender.sensor_height_mm
    if data.marigold.mode == "RELIEF":
        data.type = "ORTHO"
        data.ortho_scale = relief_width(camera, far)
        data.shift_x = data.shift_y = 0
    else:
        data.type = "PERSP"
        data.lens_unit = "MILLIMETERS"
        data.lens = blender.lens_mm
        data.shift_x, data.shift_y = blender.shift_x, blender.shift_y
    data.clip_start, data.clip_end = near / 10, far * 100  # room to walk about, and no nearer than precision allows


def camera_of(image: bpy.types.Image) -> Camera:
    """The photo's camera, from the properties of its depth image."""
    properties = image.marigold
    width, height = depth_size(image)
    return Camera(width, height, properties.focal_px, properties.cx, properties.cy, properties.pixel_aspect)
