# SPDX-License-Identifier: GPL-3.0-or-later
"""Baking a live mesh: what its controls show becomes a finished mesh, cut along the pixels that the network saw.

Called by the operator `marigold.bake_mesh` and by scripts.
"""

from __future__ import annotations

from dataclasses import replace

import bpy

from ..errors import MarigoldError
from ..geometry.shaping import shape_depth
from .depth_image import DepthPixels, read_pixels, record_of
from .following import place_vertices
from .live_mesh import Shaping, shaping_of
from .live_modifier import find_live_modifier, hand_back
from .mesh import mesh_from_grid
from .photo_grids import add_background, photo_grids
from .photo_scene import PhotoSceneOptions


def bake_live_mesh(built: bpy.types.Object | None, options: PhotoSceneOptions) -> None:
    """Gives a live object its finished mesh, in place of the grid and its modifier; other modifiers stay.

    A range and a camera that were changed in the modifier go to the depth image, which the new mesh follows.

    Args:
        options: how edges are treated; mode, vertices and edge threshold are those of the live mesh.

    Raises:
        MarigoldError: the object is not live, or it has nothing to bake (`bad_input`).
    """
    modifier = find_live_modifier(built)
    if built is None or modifier is None or built.data.marigold.depth is None:
        raise MarigoldError("bad_input", "Select a mesh with live controls: build one with Live Controls on.")
    live = built.data
    image, shaping = live.marigold.depth, shaping_of(modifier)
    hand_back(modifier, image)
    options = replace(
        options,
        mode="PERSPECTIVE" if shaping.perspective > 0.0 else "RELIEF",
        vertices=live.marigold.vertices,
        edge_threshold=shaping.edge_threshold,
    )
    grids = photo_grids(image, _shaped(image, shaping), options.edges(), options.density(), options.mode, options.fill)
    mesh = mesh_from_grid(live.name, grids.front, image, options.mode)
    if 0.0 < shaping.perspective < 1.0:
        mesh.marigold.perspective = shaping.perspective
        place_vertices(mesh)
    for material in live.materials:
        mesh.materials.append(material)
    built.modifiers.remove(modifier)
    built.data = mesh
    add_background(built, grids.behind)
    if live.users == 0:
        name = live.name
        bpy.data.meshes.remove(live)
        mesh.name = name


def _shaped(image: bpy.types.Image, shaping: Shaping) -> DepthPixels:
    pixels = read_pixels(image)
    depth = shape_depth(
        pixels.depth,
        pixels.valid,
        record_of(image).processing_size,
        image.marigold.near,
        image.marigold.far,
        curve=shaping.curve,
        smoothing=shaping.smoothing,
    )
    return DepthPixels(depth, pixels.valid)
