# SPDX-License-Identifier: GPL-3.0-or-later
"""A small picture of how far each pixel's ray climbs and how long it is, for layered fog. Called by `depth_of_field`.

The compositor of Blender 4.2 knows no coordinates. Climb and length change slowly over the frame, so a picture of some
hundred pixels, stretched to the size of the render, is exact enough.
"""

from __future__ import annotations

import bpy
import numpy as np

from . import depth_of_field_sockets as names
from .compositor import new_stretch

SIZE = 128
IMAGE_NAME = "Marigold rays"


def ray_image(
    scene: bpy.types.Scene, node: bpy.types.Node, camera: bpy.types.Object | None, mark: str
) -> bpy.types.NodeSocket:
    """Nodes with the rays of a camera, marked; the socket that gives them at the size of the render.

    Args:
        node: the pass, for its lens.
        camera: whose tilt counts; None: it stands level.
    """
    values = ray_values(scene, node, camera)
    picture = bpy.data.images.new(IMAGE_NAME, SIZE, SIZE, alpha=False, float_buffer=True, is_data=True)
    picture.colorspace_settings.name = "Non-Color"
    picture.pixels.foreach_set(np.ascontiguousarray(values[::-1]).ravel())
    picture.update()
    picture.pack()
    tree = node.id_data
    shown, stretched = tree.nodes.new("CompositorNodeImage"), new_stretch(tree)
    shown.image = picture
    for made, offset in ((shown, 700), (stretched, 400)):
        made[mark] = "ray"
        made.location = (node.location.x - offset, node.location.y - 500)
    tree.links.new(shown.outputs["Image"], stretched.inputs[0])
    return stretched.outputs[0]


def ray_values(scene: bpy.types.Scene, node: bpy.types.Node, camera: bpy.types.Object | None) -> np.ndarray:
    """[SIZE, SIZE, 4] float32, rows top to bottom: climb and length of each ray per unit of planar distance."""
    render = scene.render
    aspect = render.resolution_y / render.resolution_x
    half = node.inputs[names.SENSOR_WIDTH].default_value / node.inputs[names.FOCAL_LENGTH].default_value / 2
    along = ((np.arange(SIZE, dtype=np.float32) + 0.5) / SIZE * 2 - 1) * half
    x, y = np.meshgrid(along, -along * aspect)
    up = (0.0, 1.0, 0.0)  # world's up in camera space: level
    if camera is not None:
        turn = camera.matrix_world.to_3x3().normalized()
        up = tuple(turn[2])  # third row: what camera axes add to the world's Z
    values = np.ones((SIZE, SIZE, 4), np.float32)
    values[..., 0] = x * up[0] + y * up[1] - up[2]
    values[..., 1] = np.sqrt(x * x + y * y + 1.0)
    values[..., 2] = 0.0
    return values
