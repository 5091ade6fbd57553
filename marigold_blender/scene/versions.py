# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between the Blender versions that this extension runs in (4.2 to 5.2): every branch stands here."""

from __future__ import annotations

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
