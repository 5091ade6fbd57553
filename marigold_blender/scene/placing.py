# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts what was built into the user's scene: a collection of its own, active and selected. Called by the builders."""

from __future__ import annotations

import bpy


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
