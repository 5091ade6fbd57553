# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo's points, with colour and depth as attributes. Called by `marigold.build_points` and by scripts."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from ..errors import MarigoldError
from ..geometry.discontinuities import DEFAULT_THRESHOLD
from ..geometry.points import PointGrid, point_grid
from .depth_image import photo_of, read_pixels, record_of
from .following import DEPTH_ATTRIBUTE, place_vertices
from .images import array_from_image
from .mesh import Mode, fill_mesh
from .placing import add_to_scene
from .self_calibrated import standing
from .versions import new_point_cloud, node_tree_of, set_emission_sampling_none

COLOUR_ATTRIBUTE = "Col"  # the name that Blender's own importers and exporters of points use
DEFAULT_POINTS = 200_000


@dataclass(frozen=True)
class PointOptions:
    """What is built.

    Attributes:
        mode: `PERSPECTIVE` unprojects, `RELIEF` displaces; points: about how many.
        edge_threshold: points on the ramps over jumps are left out; 0 keeps them.
        as_point_cloud: a point cloud object where this Blender makes them (5.1 and later), which is rendered; else, and
            in older versions, a mesh of vertices, which all exporters take and which follows its depth image.
    """

    mode: Mode = "PERSPECTIVE"
    points: int = DEFAULT_POINTS
    edge_threshold: float = DEFAULT_THRESHOLD
    as_point_cloud: bool = False


def build_points(context: bpy.types.Context, depth_image: bpy.types.Image, options: PointOptions) -> bpy.types.Object:
    """Builds the points of a depth image where its mesh would stand.

    Raises:
        MarigoldError: not a depth image, its photo is gone, or none of it is valid (`bad_input`).
    """
    record, photo = record_of(depth_image), photo_of(depth_image)
    pixels, properties = read_pixels(depth_image), depth_image.marigold
    grid = point_grid(
        pixels.depth,
        pixels.valid,
        record.processing_size,
        properties.near,
        properties.far,
        options.points,
        edge_threshold=options.edge_threshold,
    )
    if len(grid.depth) == 0:
        raise MarigoldError("bad_input", f"“{depth_image.name}” has no valid pixels to make points of.")
    name = f"{record.name} points"
    data = _vertices(name, depth_image, photo, grid, options.mode)
    cloud = new_point_cloud(name, len(grid.depth)) if options.as_point_cloud else None
    if cloud is not None:
        _copy_points(data, cloud, depth_image)
        bpy.data.meshes.remove(data)
        data = cloud
    data.materials.append(_colour_material(name))
    built = bpy.data.objects.new(name, data)
    built.matrix_world = standing(depth_image, options.mode)
    add_to_scene(context, name, built)
    return built


def _vertices(
    name: str, depth_image: bpy.types.Image, photo: bpy.types.Image, grid: PointGrid, mode: Mode
) -> bpy.types.Mesh:
    mesh = bpy.data.meshes.new(name)
    fill_mesh(mesh, grid.uv, np.empty((0, 3), np.int32))
    mesh.attributes.new(DEPTH_ATTRIBUTE, "FLOAT", "POINT").data.foreach_set("value", grid.depth)
    colours = mesh.attributes.new(COLOUR_ATTRIBUTE, "BYTE_COLOR", "POINT")
    colours.data.foreach_set("color" if photo.is_float else "color_srgb", _colours(photo, grid.uv).ravel())
    mesh.attributes.active_color = colours
    mesh.marigold.depth, mesh.marigold.mode = depth_image, mode
    place_vertices(mesh)
    return mesh


def _colours(photo: bpy.types.Image, uv: np.ndarray) -> np.ndarray:
    """The photo's pixel at each place: [N, 4] float32, as the image holds it."""
    pixels = array_from_image(photo)
    height, width = pixels.shape[:2]
    column = np.minimum((uv[:, 0] * width).astype(np.intp), width - 1)
    row = np.clip(((1 - uv[:, 1]) * height).astype(np.intp), 0, height - 1)
    colours = pixels[row, column]
    colours[:, 3] = 1.0
    return colours


def _copy_points(mesh: bpy.types.Mesh, cloud: bpy.types.ID, depth_image: bpy.types.Image) -> None:
    """Gives a point cloud the mesh's points and attributes, and radii that just close the surface."""
    count = len(mesh.vertices)
    for name, kind, field, size in (
        ("position", "FLOAT_VECTOR", "vector", 3),
        (DEPTH_ATTRIBUTE, "FLOAT", "value", 1),
        (COLOUR_ATTRIBUTE, "BYTE_COLOR", "color", 4),
    ):
        values = np.empty(size * count, np.float32)
        mesh.attributes[name].data.foreach_get(field, values)
        attribute = cloud.attributes.get(name) or cloud.attributes.new(name, kind, "POINT")
        attribute.data.foreach_set(field, values)
        if name == "position":
            spacing = np.sqrt(depth_image.size[0] * depth_image.size[1] / count) / depth_image.marigold.focal_px
            radius = cloud.attributes.get("radius") or cloud.attributes.new("radius", "FLOAT", "POINT")
            radius.data.foreach_set("value", (-values[2::3] * np.float32(spacing / 2)).astype(np.float32))


def _colour_material(name: str) -> bpy.types.Material:
    """Emission in the points' own colours."""
    material = bpy.data.materials.new(name)
    tree = node_tree_of(material)
    colour, surface = tree.nodes.new("ShaderNodeAttribute"), tree.nodes.new("ShaderNodeEmission")
    colour.attribute_name = COLOUR_ATTRIBUTE
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    surface.location, output.location = (250, 0), (500, 0)
    tree.links.new(colour.outputs["Color"], surface.inputs["Color"])
    tree.links.new(surface.outputs[0], output.inputs["Surface"])
    set_emission_sampling_none(material)
    return material
