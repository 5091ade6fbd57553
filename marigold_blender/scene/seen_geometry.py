# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the scene's geometry is from a camera, by rays through the pixels of a photo. Called by `calibrating`."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Vector

from ..geometry.camera import Camera
from ..geometry.unprojection import unproject

LAYERS = 16  # sheets of photo meshes that a ray goes through before it gives up
STEP = 1e-5  # behind a hit, as a share of its distance


def seen_distances(
    context: bpy.types.Context, camera_object: bpy.types.Object, camera: Camera, pixels: np.ndarray
) -> np.ndarray:
    """Planar distance [N] of what is seen at `pixels` [N, 2]; NaN where that is nothing.

    Meshes made from depth are looked through: they are what is to be measured.
    """
    scene, graph = context.scene, context.evaluated_depsgraph_get()
    world = camera_object.matrix_world.normalized()
    origin, turn, back = world.translation, world.to_3x3(), world.inverted()
    rays = unproject(camera, np.asarray(pixels, float), np.ones(len(pixels)))
    reach = camera_object.data.clip_end * 10
    distances = np.full(len(pixels), np.nan)
    for number, ray in enumerate(rays):
        direction = (turn @ Vector(ray)).normalized()
        start = origin.copy()
        for _ in range(LAYERS):
            hit, place, _, _, seen, _ = scene.ray_cast(graph, start, direction, distance=reach)
            if not hit:
                break
            if not _is_made_from_depth(seen):
                distances[number] = -(back @ place).z
                break
            start = place + direction * max((place - origin).length * STEP, 1e-6)
    return distances


def _is_made_from_depth(seen: bpy.types.Object) -> bool:
    data = seen.original.data
    return isinstance(data, bpy.types.Mesh) and data.marigold.depth is not None
