# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between the Blender versions that this extension runs in (4.2 to 5.2): every branch stands here."""

from __future__ import annotations

from typing import Any

import bpy


def node_tree_of(material: bpy.types.Material) -> bpy.types.NodeTree:
    """The material's node tree, emptied."""
    if bpy.app.version < (5, 0, 0):  # 5.0: materials always have nodes, and setting use_nodes warns
        material.use_nodes = True
    material.node_tree.nodes.clear()
    return material.node_tree


def set_pixel_filter(scene: bpy.types.Scene, width_px: float) -> None:
    """How far around itself a pixel of a render gathers, in every engine."""
    scene.render.filter_size = width_px  # EEVEE
    if hasattr(scene, "cycles"):
        scene.cycles.filter_width = width_px


def set_emission_sampling_none(material: bpy.types.Material) -> None:
    """Keeps a million emitting faces from being sampled as a million lamps, which makes Cycles four times slower."""
    if hasattr(material, "cycles"):  # gone where the user has disabled Cycles
        material.cycles.emission_sampling = "NONE"


def modifier_input(modifier: bpy.types.Modifier, name: str) -> tuple[Any, str]:
    """Where a Geometry Nodes modifier keeps its input `name`: an owner and a property path.

    Both are what `layout.prop`, `keyframe_insert` and `driver_add` take.
    """
    identifier = next(
        item.identifier
        for item in modifier.node_group.interface.items_tree
        if item.item_type == "SOCKET" and item.in_out == "INPUT" and item.name == name
    )
    if bpy.app.version < (5, 2, 0):
        return modifier, f'["{identifier}"]'
    return getattr(modifier.properties.inputs, identifier), "value"  # 5.2: no longer custom properties


def get_modifier_input(modifier: bpy.types.Modifier, name: str) -> Any:
    owner, path = modifier_input(modifier, name)
    return owner[path[2:-2]] if path.startswith("[") else getattr(owner, path)


def set_modifier_input(modifier: bpy.types.Modifier, name: str, value: Any) -> None:
    """Set an input; the value must have the input's own type. The object is evaluated anew."""
    owner, path = modifier_input(modifier, name)
    if path.startswith("["):
        owner[path[2:-2]] = value
    else:
        setattr(owner, path, value)
    modifier.id_data.update_tag()  # no version notices by itself


def new_point_cloud(name: str, points: int) -> bpy.types.ID | None:
    """A point cloud with so many points; None before Blender 5.1, which cannot make one from Python."""
    if bpy.app.version < (5, 1, 0):
        return None
    cloud = bpy.data.pointclouds.new(name)
    cloud.resize(points)
    return cloud
