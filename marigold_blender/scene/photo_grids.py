# SPDX-License-Identifier: GPL-3.0-or-later
"""The grids of a depth image, and the object of the one behind. Called by `photo_scene` and `baking`."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from ..errors import MarigoldError
from ..geometry.background_fill import fill_behind_edges
from ..geometry.grid import GridMesh, mesh_of_surfaces
from ..geometry.sampling import MaskedMap
from ..geometry.surfaces import EdgeOptions, find_surfaces
from ..geometry.triangulation import TriangleMesh, triangulate
from .depth_image import DepthPixels, record_of
from .following import camera_of, place_vertices
from .images import array_from_image
from .mesh import Mode, mesh_from_grid


@dataclass(frozen=True)
class Density:
    """Of a regular grid at least `vertices`; where `triangles` is not 0, at most so many triangles instead."""

    vertices: int
    triangles: int = 0


@dataclass(frozen=True)
class PhotoGrids:
    """What the photo shows, cut, and what goes on behind its edges; None where nothing does."""

    front: GridMesh | TriangleMesh
    behind: GridMesh | None


def photo_grids(
    depth_image: bpy.types.Image, pixels: DepthPixels, edges: EdgeOptions, density: Density, mode: Mode, fill: bool
) -> PhotoGrids:
    """The grids of a depth image; `pixels` are its own, or what shaping made of them.

    Raises:
        MarigoldError: nothing of it is left (`bad_input`).
    """
    properties, camera = depth_image.marigold, camera_of(depth_image)
    depth = MaskedMap(pixels.depth, pixels.valid)
    uncertainty = None
    if edges.uncertainty_limit > 0 and properties.uncertainty is not None:
        uncertainty = array_from_image(properties.uncertainty)[..., 0].copy()
    size, near, far = record_of(depth_image).processing_size, properties.near, properties.far
    surfaces = find_surfaces(depth, size, near, far, edges, uncertainty=uncertainty, camera=camera)
    front: GridMesh | TriangleMesh
    if density.triangles:
        front = triangulate(surfaces, near, far, density.triangles, relief=mode == "RELIEF")
    else:
        front = mesh_of_surfaces(depth, surfaces, density.vertices)
    if len(front.depth) == 0:
        raise MarigoldError("bad_input", f"“{depth_image.name}” has no valid pixels left to build a mesh from.")
    return PhotoGrids(front, fill_behind_edges(surfaces, camera, near, far) if fill else None)


def add_background(front: bpy.types.Object, behind: GridMesh | None) -> bpy.types.Object | None:
    """The object of what goes on behind the edges, beside that of the photo, with its materials."""
    if behind is None:
        return None
    name, properties = f"{front.name} background", front.data.marigold
    mesh = mesh_from_grid(name, behind, properties.depth, properties.mode)
    if mesh.marigold.perspective != properties.perspective:
        mesh.marigold.perspective = properties.perspective
        place_vertices(mesh)
    for material in front.data.materials:
        mesh.materials.append(material)
    made = bpy.data.objects.new(name, mesh)
    for collection in front.users_collection:
        collection.objects.link(made)
    made.matrix_world = front.matrix_world
    return made
