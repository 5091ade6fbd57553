# SPDX-License-Identifier: GPL-3.0-or-later
"""A solid relief as an object, for printing and milling. Called by `marigold.build_solid` and by scripts."""

from __future__ import annotations

import math

import bpy
import numpy as np

from ..geometry.solid_relief import SolidOptions, solid_relief
from .depth_image import photo_of, read_pixels, record_of
from .following import DEPTH_ATTRIBUTE
from .material import photo_material
from .mesh import fill_mesh
from .placing import add_to_scene

SHARP = math.radians(40)  # what folds more is an edge of the solid, not of the relief


def build_solid(context: bpy.types.Context, depth_image: bpy.types.Image, options: SolidOptions) -> bpy.types.Object:
    """Builds the solid of a depth image, lying on the floor, as large as its millimetres are in the scene's units.

    It does not follow the depth image: a solid is as it was built.

    Raises:
        MarigoldError: not a depth image, its photo is gone, or no solid has these measures (`bad_input`).
    """
    record, photo = record_of(depth_image), photo_of(depth_image)
    pixels = read_pixels(depth_image)
    solid = solid_relief(pixels.depth, pixels.valid, options)
    name = f"{record.name} solid"
    mesh = bpy.data.meshes.new(name)
    fill_mesh(mesh, solid.uv, solid.as_triangles())
    mesh.attributes.new(DEPTH_ATTRIBUTE, "FLOAT", "POINT").data.foreach_set("value", solid.depth)
    metres = np.float32(0.001 / context.scene.unit_settings.scale_length)
    mesh.attributes["position"].data.foreach_set("vector", (solid.points * metres).ravel())
    mesh.set_sharp_from_angle(angle=SHARP)
    mesh.update()
    mesh.materials.append(photo_material(photo, "PRINCIPLED", context.scene))
    built = bpy.data.objects.new(name, mesh)
    add_to_scene(context, name, built)
    return built
