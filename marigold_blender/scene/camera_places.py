# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a point of a 3D View that looks through the camera lies in the picture. Called by the eyedroppers."""

from __future__ import annotations

import bpy
from bpy_extras import view3d_utils

from .depth_of_field_nodes import depth_of_pass
from .following import camera_of


def camera_place(
    scene: bpy.types.Scene,
    region: bpy.types.Region,
    view: bpy.types.RegionView3D,
    x: float,
    y: float,
    image: bpy.types.Image | None,
) -> tuple[float, float] | None:
    """The place in the picture, (0, 0) bottom left .. (1, 1) top right, of a point of the region; None: not in view.

    A photo is met by the camera's ray, since the render may have another shape than the photo.

    Args:
        image: depth of the photo that the camera shows; None: that of the depth-of-field pass, if there is one.
    """
    camera = scene.camera
    corners = camera.data.view_frame(scene=scene)  # top right, bottom right, bottom left, top left
    low, right, high = (
        view3d_utils.location_3d_to_region_2d(region, view, camera.matrix_world.normalized() @ corners[index])
        for index in (2, 1, 3)
    )
    if low is None or right is None or high is None:
        return None
    u, v = (x - low.x) / (right.x - low.x), (y - low.y) / (high.y - low.y)
    image = image or depth_of_pass(scene)
    if image is None or camera.data.type != "PERSP":
        return u, v
    point = corners[2] + (corners[1] - corners[2]) * u + (corners[3] - corners[2]) * v
    return photo_point(image, point.x / -point.z, point.y / -point.z)


def photo_point(image: bpy.types.Image, x: float, y: float) -> tuple[float, float]:
    """Where a ray of the matched camera meets the photo: (u, v) from slopes to the right and up per unit ahead."""
    camera = camera_of(image)
    return (camera.cx + x * camera.focal_px) / camera.width, 1 - (camera.cy - y * camera.focal_y_px) / camera.height
