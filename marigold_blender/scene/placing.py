# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts what was built into the user's scene: a collection of its own, active and selected. Called by the builders."""

from __future__ import annotations

import math

import bpy
from mathutils import Matrix

EYE_HEIGHT = 1.6  # of someone who stands on the scene's floor
UPRIGHT = Matrix.Rotation(math.radians(90), 4, "X")  # from looking down, as new cameras do, to looking along +Y


def before_the_camera() -> Matrix:
    """Where camera space stands in the world: at eye height, looking along +Y."""
    return Matrix.Translation((0, 0, EYE_HEIGHT)) @ UPRIGHT


def add_to_scene(context: bpy.types.Context, name: str, *objects: bpy.types.Object) -> None:
    """Links new objects in a new collection of the context's scene; the first of them is active and selected."""
    scene = context.scene
    collection = bpy.data.collections.new(name)
    scene.collection.children.link(collection)
    for each in objects:
        collection.objects.link(each)
    view_layer = context.view_layer if context.view_layer.id_data == scene else scene.view_layers[0]
    view_layer.update()  # the new objects are in it only from now on
    for other in view_layer.objects:
        other.select_set(other == objects[0], view_layer=view_layer)
    view_layer.objects.active = objects[0]
