# SPDX-License-Identifier: GPL-3.0-or-later
"""The measures of solids and the choices for points, which operators and the scene's settings share."""

from bpy.props import BoolProperty, FloatProperty, IntProperty

from ..marigold_blender.scene.point_cloud import PointOptions
from ..marigold_blender.scene.solid_object import SolidOptions


class SolidProperties:
    """A relief as a solid, in millimetres."""

    solid_size: FloatProperty(
        name="Size (mm)",
        description="Longer edge of the solid, border included",
        default=SolidOptions.size,
        min=1.0,
        soft_max=2000.0,
    )
    solid_height: FloatProperty(
        name="Height (mm)",
        description="From the farthest to the nearest depth",
        default=SolidOptions.height,
        min=0.01,
        soft_max=200.0,
    )
    solid_base: FloatProperty(
        name="Base (mm)",
        description="Thickness below the lowest point: every place of the solid is at least as thick",
        default=SolidOptions.base,
        min=0.01,
        soft_max=50.0,
    )
    solid_border: FloatProperty(
        name="Border (mm)",
        description="Width of the frame around the picture. 0: none",
        default=SolidOptions.border,
        min=0.0,
        soft_max=100.0,
    )
    solid_border_height: FloatProperty(
        name="Border Height (mm)",
        description="Height of the frame over the lowest point of the picture",
        default=SolidOptions.border_height,
        min=0.0,
        soft_max=200.0,
    )
    solid_inverted: BoolProperty(
        name="Inverted",
        description="What is near becomes low: a mould to cast from",
        default=False,
    )
    solid_vertices: IntProperty(
        name="Vertices",
        description="Number of vertices of the solid's surface",
        default=SolidOptions.vertices,
        min=100,
        soft_max=4_000_000,
        max=50_000_000,
    )

    def solid_options(self) -> SolidOptions:
        names = ("size", "height", "base", "border", "border_height", "inverted", "vertices")
        return SolidOptions(**{name: getattr(self, f"solid_{name}") for name in names})


class PointProperties:
    """A photo as points."""

    points: IntProperty(
        name="Points",
        description="Number of points, before those on edges and on masked pixels are left out",
        default=PointOptions.points,
        min=100,
        soft_max=4_000_000,
        max=50_000_000,
    )
    as_point_cloud: BoolProperty(
        name="Point Cloud Object",
        description="Make a point cloud object, which is rendered, where this Blender can (5.1 and later). Off: a mesh"
        " of vertices, which every exporter takes and which follows its depth image",
        default=False,
    )
