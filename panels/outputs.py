# SPDX-License-Identifier: GPL-3.0-or-later
"""The sections under Result: the live controls of the active object, and what else can be made of its depth."""

import bpy

from ..marigold_blender.scene import live_sockets
from ..marigold_blender.scene.live_modifier import find_live_modifier
from ..marigold_blender.scene.versions import modifier_input
from .result import shown_depth
from .sections import In3DView, InImageEditor, settings_column

SOLID = ("size", "height", "base", "border", "border_height", "inverted", "vertices")


class MARIGOLD_PT_live_view3d(In3DView, bpy.types.Panel):
    bl_label = "Live Controls"
    bl_parent_id = "MARIGOLD_PT_result_view3d"

    @classmethod
    def poll(cls, context):
        return In3DView.poll(context) and find_live_modifier(context.object) is not None

    def draw(self, context):
        modifier = find_live_modifier(context.object)
        column = settings_column(self.layout)
        column.use_property_decorate = True
        for socket in live_sockets.SOCKETS:
            if socket.panel == live_sockets.SURFACE:  # range and camera stand above: they are the depth image's
                owner, path = modifier_input(modifier, socket.name)
                column.prop(owner, path, text=socket.name)
        column.prop(context.object.data.marigold, "vertices")
        column.operator("marigold.bake_mesh", icon="MESH_DATA")


class OutputsPanel:
    bl_label = "Outputs"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context):
        depth, settings = shown_depth(context), context.scene.marigold
        column = settings_column(self.layout)
        for name in SOLID:
            column.prop(settings, f"solid_{name}")
        column.operator("marigold.build_solid", icon="MESH_CUBE").depth = depth.name
        column.separator()
        column.prop(settings, "points")
        column.prop(settings, "as_point_cloud")
        column.operator("marigold.build_points", icon="OUTLINER_OB_POINTCLOUD").depth = depth.name


class MARIGOLD_PT_outputs_view3d(In3DView, OutputsPanel, bpy.types.Panel):
    bl_parent_id = "MARIGOLD_PT_result_view3d"


class MARIGOLD_PT_outputs_image(InImageEditor, OutputsPanel, bpy.types.Panel):
    bl_parent_id = "MARIGOLD_PT_result_image"


CLASSES = (MARIGOLD_PT_live_view3d, MARIGOLD_PT_outputs_view3d, MARIGOLD_PT_outputs_image)
