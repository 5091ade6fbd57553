# SPDX-License-Identifier: GPL-3.0-or-later
"""The section Result: the depth that the active object or the shown image stands on, and what can be made of it."""

import bpy

from ..marigold_blender.scene.depth_image import is_depth_image
from .sections import In3DView, InImageEditor, settings_column

THUMBNAIL_SCALE = 5.0


class ResultPanel:
    bl_label = "Result"
    bl_order = 3

    def draw(self, context):
        depth = shown_depth(context)
        layout = self.layout
        draw_thumbnails(layout, depth)
        column = settings_column(layout)
        column.label(text=depth.name, icon="IMAGE_DATA")
        if depth.marigold.calibrated == "ASSUMED":
            column.label(text="Near and far are assumed", icon="INFO")
        for name in ("near", "far", "focal_px"):
            column.prop(depth.marigold, name)
        column.operator("marigold.build_mesh", icon="MESH_GRID").depth = depth.name


class MARIGOLD_PT_result_view3d(In3DView, ResultPanel, bpy.types.Panel):
    @classmethod
    def poll(cls, context):
        return In3DView.poll(context) and shown_depth(context) is not None


class MARIGOLD_PT_result_image(InImageEditor, ResultPanel, bpy.types.Panel):
    @classmethod
    def poll(cls, context):
        return InImageEditor.poll(context) and shown_depth(context) is not None


def shown_depth(context: bpy.types.Context) -> bpy.types.Image | None:
    """The depth image of the active mesh, or the one shown in this Image Editor."""
    if context.space_data.type == "IMAGE_EDITOR":
        image = context.space_data.image
        return image if image and is_depth_image(image) else None
    mesh = context.object.data if context.object and context.object.type == "MESH" else None
    return mesh.marigold.depth if mesh else None


def draw_thumbnails(layout: bpy.types.UILayout, depth: bpy.types.Image) -> None:
    """Small pictures of depth and uncertainty, as far as there are any."""
    pictures = {"Depth": depth, "Uncertainty": depth.marigold.uncertainty}
    row = layout.row(align=True)
    for label, image in pictures.items():
        if image and image.preview:
            column = row.column(align=True)
            column.template_icon(icon_value=image.preview.icon_id, scale=THUMBNAIL_SCALE)
            column.label(text=label)


CLASSES = (MARIGOLD_PT_result_view3d, MARIGOLD_PT_result_image)
