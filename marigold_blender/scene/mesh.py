# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender mesh from a grid mesh, by whole arrays: a million vertices in half a second. Called by `photo_scene`."""

from __future__ import annotations

from typing import Literal

import bpy
import numpy as np

from ..geometry.grid import GridMesh
from ..geometry.triangulation import TriangleMesh
from .following import DEPTH_ATTRIBUTE, PICTURE_ATTRIBUTE, place_vertices

UV_MAP = "UVMap"
Mode = Literal["PERSPECTIVE", "RELIEF"]


def mesh_from_grid(
    name: str, grid: GridMesh | TriangleMesh, depth_image: bpy.types.Image, mode: Mode
) -> bpy.types.Mesh:
    """A mesh in camera space that follows `depth_image`, with the photo's coordinates as its UV map."""
    mesh = bpy.data.meshes.new(name)
    if isinstance(grid, GridMesh):
        fill_mesh(mesh, grid.uv, grid.quads, grid.texture)
    else:
        fill_mesh(mesh, grid.uv, grid.triangles)
        mesh.marigold.worst_error, mesh.marigold.mean_error = grid.worst_error, grid.mean_error
    mesh.attributes.new(DEPTH_ATTRIBUTE, "FLOAT", "POINT").data.foreach_set("value", grid.depth)
    mesh.marigold.depth, mesh.marigold.mode = depth_image, mode
    place_vertices(mesh)
    return mesh


def fill_mesh(mesh: bpy.types.Mesh, uv: np.ndarray, faces: np.ndarray, texture: np.ndarray | None = None) -> None:
    """Gives an empty mesh its faces and the photo's coordinates; every vertex is still at the origin.

    Args:
        uv: [V, 2] float32; place in the picture, (0, 0) bottom left.
        faces: [F, 3 or 4] int32; may be empty: then there are only points.
        texture: [V, 2] float32; where in the picture the colours come from; None: from the same place.
    """
    sides = faces.shape[1]
    mesh.vertices.add(len(uv))
    mesh.attributes.new(PICTURE_ATTRIBUTE, "FLOAT2", "POINT").data.foreach_set("vector", uv.ravel())
    if len(faces):
        mesh.loops.add(faces.size)
        mesh.polygons.add(len(faces))
        corners = faces.ravel()
        # The attribute takes the array in one copy; `loops.foreach_set` goes through every item: 200 times slower.
        mesh.attributes[".corner_vert"].data.foreach_set("value", corners)
        mesh.polygons.foreach_set("loop_start", np.arange(0, len(corners), sides, dtype=np.int32))
        uv_name = mesh.uv_layers.new(name=UV_MAP, do_init=False).name
        mesh.attributes[uv_name].data.foreach_set("vector", (uv if texture is None else texture)[corners].ravel())
        mesh.shade_smooth()
    mesh.update(calc_edges=True)  # before the vertices are placed: that updates too, and would find the edges missing
