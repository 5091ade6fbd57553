# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar tab *Marigold* in the 3D View and the Image Editor."""

import textwrap

import bpy

from ..marigold_blender.scene.depth_image import is_depth_image
from ..operators import session
from ..operators.config import ROOT_PACKAGE
from ..operators.task import Phase, Task

PIXELS_PER_CHARACTER = 7.0


class Sidebar:
    bl_category = "Marigold"
    bl_region_type = "UI"


class MainPanel(Sidebar):
    """Source, model, preset, run; while something runs, its progress; what failed, with its remedy."""

    bl_label = "Photo to 3D"

    def draw(self, context):
        layout = self.layout
        settings = context.scene.marigold
        self.draw_source(context, layout.column())
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(settings, "model")
        column.prop(settings, "preset")
        draw_run(layout, self.source(context))
        for task in session.tasks:
            draw_task(layout, task)
        draw_failures(layout, context)

    def source(self, context) -> dict[str, str]:
        return context.scene.marigold.chosen_source()

    def draw_source(self, context, layout):
        settings = context.scene.marigold
        layout.row().prop(settings, "source", expand=True)
        if settings.source == "FILE":
            layout.prop(settings, "filepath", text="")
        elif settings.source == "IMAGE":
            layout.prop(settings, "image", text="")


class MARIGOLD_PT_view3d(MainPanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"


class MARIGOLD_PT_image(MainPanel, bpy.types.Panel):
    bl_space_type = "IMAGE_EDITOR"

    def source(self, context) -> dict[str, str]:
        image = shown_photo(context)
        return {"image": image.name} if image else {}

    def draw_source(self, context, layout):
        image = shown_photo(context)
        layout.label(text=image.name if image else "Open an image in this editor", icon="IMAGE_DATA")


class QualityPanel(Sidebar):
    bl_label = "Quality"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context):
        column = self.layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        for name in ("steps", "ensemble", "resolution", "seed"):
            column.prop(context.scene.marigold, name)


class MARIGOLD_PT_quality_view3d(QualityPanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_parent_id = "MARIGOLD_PT_view3d"


class MARIGOLD_PT_quality_image(QualityPanel, bpy.types.Panel):
    bl_space_type = "IMAGE_EDITOR"
    bl_parent_id = "MARIGOLD_PT_image"


class MeshPanel(Sidebar):
    bl_label = "Mesh"

    def draw(self, context):
        column = self.layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        for name in ("mode", "shading", "vertices", "edge_threshold", "match_render"):
            column.prop(context.scene.marigold, name)


class MARIGOLD_PT_mesh_view3d(MeshPanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_parent_id = "MARIGOLD_PT_view3d"


class MARIGOLD_PT_mesh_image(MeshPanel, bpy.types.Panel):
    bl_space_type = "IMAGE_EDITOR"
    bl_parent_id = "MARIGOLD_PT_image"


class ResultPanel(Sidebar):
    """The depth that the active object or the shown image stands on."""

    bl_label = "Result"

    @classmethod
    def poll(cls, context):
        return shown_depth(context) is not None

    def draw(self, context):
        depth = shown_depth(context)
        column = self.layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.label(text=depth.name, icon="IMAGE_DATA")
        if depth.marigold.calibrated == "ASSUMED":
            column.label(text="Near and far are assumed", icon="INFO")
        for name in ("near", "far", "focal_px"):
            column.prop(depth.marigold, name)
        column.operator("marigold.build_mesh", icon="MESH_GRID").depth = depth.name


class MARIGOLD_PT_result_view3d(ResultPanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_parent_id = "MARIGOLD_PT_view3d"


class MARIGOLD_PT_result_image(ResultPanel, bpy.types.Panel):
    bl_space_type = "IMAGE_EDITOR"
    bl_parent_id = "MARIGOLD_PT_image"


def shown_depth(context: bpy.types.Context) -> bpy.types.Image | None:
    """The depth image of the active mesh, or the one shown in this Image Editor."""
    if context.space_data.type == "IMAGE_EDITOR":
        image = context.space_data.image
        return image if image and is_depth_image(image) else None
    mesh = context.object.data if context.object and context.object.type == "MESH" else None
    return mesh.marigold.depth if mesh else None


def shown_photo(context: bpy.types.Context) -> bpy.types.Image | None:
    """The image that this Image Editor shows; for a depth image, the photo that it is the depth of."""
    image = context.space_data.image
    return image.marigold.photo if image and is_depth_image(image) else image


def draw_run(layout: bpy.types.UILayout, source: dict[str, str]) -> None:
    for index, (operator, icon) in enumerate((("photo_to_scene", "MESH_GRID"), ("estimate_depth", "IMAGE_DATA"))):
        row = layout.row()
        row.scale_y = 1.0 if index else 1.5
        properties = row.operator(f"marigold.{operator}", icon=icon)
        for name, value in source.items():
            setattr(properties, name, value)


def draw_task(layout: bpy.types.UILayout, task: Task) -> None:
    box = layout.box()
    box.label(text=task.title, icon=task.icon)
    if task.phase is Phase.OFFERED:
        row = box.row()
        row.operator("marigold.apply_result", text=task.offer, icon="IMPORT").task = task.id
        row.operator("marigold.cancel_job", text="", icon="X").task = task.id
        return
    shown = session.shown(task)
    row = box.row(align=True)
    row.progress(factor=shown.fraction, text=shown.text)
    row.operator("marigold.cancel_job", text="", icon="X").task = task.id


def draw_failures(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    if not session.failures:
        return
    width = int(context.region.width / (PIXELS_PER_CHARACTER * context.preferences.system.ui_scale)) - 4
    box = layout.box()
    for failure in session.failures:
        column = box.column(align=True)
        column.label(text=failure.title, icon="ERROR")
        for line in textwrap.wrap(failure.error.message, max(width, 20)):
            column.label(text=line)
        draw_fix(box, failure.error.fix)
    row = box.row()
    row.operator("marigold.copy_failure", icon="COPYDOWN")
    row.operator("marigold.dismiss_failures", icon="X")


def draw_fix(layout: bpy.types.UILayout, fix: str | None) -> None:
    """The button that mends a failure, where there is one."""
    if fix == "preferences.addon_show":
        layout.operator(fix, text="Open Preferences", icon="PREFERENCES").module = ROOT_PACKAGE
    elif fix:
        layout.operator(fix)


CLASSES = (
    MARIGOLD_PT_view3d,
    MARIGOLD_PT_quality_view3d,
    MARIGOLD_PT_mesh_view3d,
    MARIGOLD_PT_result_view3d,
    MARIGOLD_PT_image,
    MARIGOLD_PT_quality_image,
    MARIGOLD_PT_mesh_image,
    MARIGOLD_PT_result_image,
)
