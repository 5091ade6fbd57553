# SPDX-License-Identifier: GPL-3.0-or-later
"""Live meshes: a grid and one modifier with the controls. Called by `photo_scene` and by what bakes them."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from . import live_sockets as names
from .following import camera_of
from .live_grid import fill_grid, set_grid_inputs
from .live_group import live_group
from .live_modifier import set_range_and_camera
from .mesh import Mode
from .versions import get_modifier_input, set_modifier_input

MODIFIER_NAME = "Live Depth"


@dataclass(frozen=True)
class Shaping:
    """What the live controls make of the depth, besides its range and its camera.

    Attributes:
        perspective: 1 a perspective mesh, 0 a relief; curve, smoothing: see `geometry.shaping`; edge_threshold: see
            `geometry.discontinuities`.
    """

    perspective: float
    curve: float
    smoothing: float
    edge_threshold: float


def live_grid_mesh(name: str, depth_image: bpy.types.Image, mode: Mode, vertices: int) -> bpy.types.Mesh:
    """The grid of a live mesh, not yet on an object."""
    mesh = bpy.data.meshes.new(name)
    properties = mesh.marigold
    properties.depth, properties.mode = depth_image, mode
    properties.vertices = vertices
    properties.live = True  # from now on, another number of vertices makes the grid anew
    fill_grid(mesh)
    return mesh


def add_live_modifier(built: bpy.types.Object, edge_threshold: float) -> bpy.types.Modifier:
    """Gives an object whose mesh is a live grid the modifier that turns the grid into the photo's surface."""
    mesh, image = built.data, built.data.marigold.depth
    modifier = built.modifiers.new(MODIFIER_NAME, "NODES")
    modifier.node_group = live_group()
    set_modifier_input(modifier, names.DEPTH, image)
    if image.marigold.mask is not None:
        set_modifier_input(modifier, names.MASK, image.marigold.mask)
    set_range_and_camera(modifier, image, camera_of(image))
    set_modifier_input(modifier, names.PERSPECTIVE, 1.0 if mesh.marigold.mode == "PERSPECTIVE" else 0.0)
    set_modifier_input(modifier, names.EDGE_THRESHOLD, edge_threshold)
    set_grid_inputs(modifier, mesh)
    return modifier


def shaping_of(modifier: bpy.types.Modifier) -> Shaping:
    """What the modifier's controls say now."""
    return Shaping(
        perspective=get_modifier_input(modifier, names.PERSPECTIVE),
        curve=get_modifier_input(modifier, names.CURVE),
        smoothing=get_modifier_input(modifier, names.SMOOTHING),
        edge_threshold=get_modifier_input(modifier, names.EDGE_THRESHOLD),
    )
