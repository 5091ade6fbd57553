# SPDX-License-Identifier: GPL-3.0-or-later
"""The lens of the depth-of-field pass: as the depth image or the render's camera has it.

Called by `depth_of_field`, and by `following` when a depth image's properties change.
"""

from __future__ import annotations

import bpy

from . import depth_of_field_sockets as names
from .depth_of_field_nodes import depth_of_pass, find_pass, set_value
from .depth_size import depth_size
from .focus_drivers import follow_range

SENSOR_MM = 36.0


def adopt_depth(node: bpy.types.Node, depth: bpy.types.Image) -> None:
    """Give the pass the distances and the lens of a depth image."""
    properties, (width, _) = depth.marigold, depth_size(depth)
    for name, value in (
        (names.DEPTH_IS_DISTANCE, 0.0),
        (names.METRIC, float(properties.calibrated == "CALIBRATED")),  # by itself, its size is a guess
        (names.NEAR, properties.near),
        (names.FAR, properties.far),
        (names.WIDTH, width),
        (names.SENSOR_WIDTH, SENSOR_MM),
        (names.FOCAL_LENGTH, properties.focal_px / width * SENSOR_MM),
    ):
        set_value(node, name, value)


def follow_in_passes(depth: bpy.types.Image) -> None:
    """Hand the distances and the lens of a depth image on to the passes that use it."""
    for scene in bpy.data.scenes:
        if scene.library is None and depth_of_pass(scene) == depth:
            node = find_pass(scene)
            adopt_depth(node, depth)
            follow_range(node)


def adopt_camera(scene: bpy.types.Scene, node: bpy.types.Node) -> None:
    """Give the pass the lens of the scene's camera, for a Z pass."""
    render, camera = scene.render, scene.camera.data
    width = render.resolution_x * render.resolution_percentage / 100
    height = render.resolution_y * render.resolution_percentage / 100
    for name, value in (
        (names.DEPTH_IS_DISTANCE, 1.0),
        (names.METRIC, 1.0),
        (names.WIDTH, width),
        (names.SENSOR_WIDTH, sensor_across(camera, width, height)),
        (names.FOCAL_LENGTH, camera.lens),
    ):
        set_value(node, name, value)


def sensor_across(camera: bpy.types.Camera, width: float, height: float) -> float:
    """How many millimetres of the sensor the frame's width takes: Blender counts along the edge that is fitted."""
    if camera.sensor_fit == "VERTICAL":
        return camera.sensor_height * width / height
    if camera.sensor_fit == "AUTO" and height > width:
        return camera.sensor_width * width / height
    return camera.sensor_width
