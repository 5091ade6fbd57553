# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold.build_solid` and `marigold.build_points`: a depth image as a closed solid, and as points."""

import bpy
from bpy.props import EnumProperty, FloatProperty

from ..marigold_blender.scene.point_cloud import PointOptions, build_points
from ..marigold_blender.scene.properties import MODES
from ..marigold_blender.scene.solid_object import build_solid
from .from_depth import FromDepth
from .solid_properties import PointProperties, SolidProperties


class MARIGOLD_OT_build_solid(FromDepth, SolidProperties, bpy.types.Operator):
    bl_idname = "marigold.build_solid"
    bl_label = "Build Solid"
    bl_description = "Build a closed solid from a depth image, for printing or milling: relief, border, walls and base"

    def build(self, context, depth):
        return build_solid(context, depth, self.solid_options())


class MARIGOLD_OT_build_points(FromDepth, PointProperties, bpy.types.Operator):
    bl_idname = "marigold.build_points"
    bl_label = "Build Points"
    bl_description = "Build points from a depth image, with the photo's colours and the depth as attributes"

    mode: EnumProperty(name="Mode", description="How depth becomes places", items=MODES)
    edge_threshold: FloatProperty(
        name="Edge Threshold",
        description="Points where disparity departs by more than this share from its continuation are left out: see the"
        " Mesh section. 0 keeps all",
        min=0.0,
        max=1.0,
        default=PointOptions.edge_threshold,
        precision=3,
    )

    def invoke(self, context, event):
        for name in ("mode", "edge_threshold"):
            if not self.properties.is_property_set(name):
                setattr(self, name, getattr(context.scene.marigold, name))
        return super().invoke(context, event)

    def build(self, context, depth):
        options = PointOptions(self.mode, self.points, self.edge_threshold, self.as_point_cloud)
        return build_points(context, depth, options)


CLASSES = (MARIGOLD_OT_build_solid, MARIGOLD_OT_build_points)
