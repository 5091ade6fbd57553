# SPDX-License-Identifier: GPL-3.0-or-later
"""The sections under the main panel that show settings: Source, Quality, Clip, Mesh, Advanced."""

import bpy

from ..operators import session, state
from ..operators.config import ROOT_PACKAGE
from .model_choice import draw_model
from .sidebar import Sidebar
from .source import draw_source


class In3DView(Sidebar):
    bl_space_type = "VIEW_3D"
    bl_parent_id = "MARIGOLD_PT_view3d"


class InImageEditor(Sidebar):
    bl_space_type = "IMAGE_EDITOR"
    bl_parent_id = "MARIGOLD_PT_image"


def settings_column(layout: bpy.types.UILayout) -> bpy.types.UILayout:
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    return column


class SourcePanel:
    bl_label = "Source"
    bl_order = 1

    def draw(self, context):
        draw_source(self.layout.column(), context)


class QualityPanel:
    bl_label = "Quality"
    bl_order = 2

    def draw(self, context):
        snapshot = state.current()
        column = settings_column(self.layout)
        if snapshot:
            draw_model(column, context, snapshot)
        settings = context.scene.marigold
        column.prop(settings, "preset")
        if not (settings.steps and settings.ensemble and settings.resolution):
            column.label(text="0: as preset and model say")
        for name in ("steps", "ensemble", "resolution", "tiling"):
            column.prop(settings, name)


class MeshPanel:
    bl_label = "Mesh"
    bl_order = 4

    def draw(self, context):
        column = settings_column(self.layout)
        for name in ("mode", "shading", "vertices", "triangles", "live", "match_render"):
            column.prop(context.scene.marigold, name)


class EdgesPanel:
    """Where the mesh is cut, what is left out of it, and what becomes of what lies behind."""

    bl_label = "Edges"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context):
        column = settings_column(self.layout)
        for name in ("edge_threshold", "sky", "fill", "least_island", "uncertainty_limit"):
            column.prop(context.scene.marigold, name)


class ClipPanel:
    """The depth of a movie or an image sequence; how each frame is estimated stands under Quality."""

    bl_label = "Clip"
    bl_order = 3
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context):
        settings = context.scene.marigold
        column = settings_column(self.layout)
        column.prop(settings, "clip", text="", placeholder="Movie, folder or shot_####.png")
        column.prop(settings, "steady")
        column.operator("marigold.estimate_clip", icon="SEQUENCE").filepath = settings.clip


class AdvancedPanel:
    """What is seldom changed: the random numbers, the device, the worker's memory and its log."""

    bl_label = "Advanced"
    bl_order = 5
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context):
        column = settings_column(self.layout)
        column.prop(context.scene.marigold, "seed")
        snapshot = state.current()
        device = state.past_runs().device or (snapshot.runtime.device if snapshot else "")
        column.label(text=device or "Device not known yet", icon="DESKTOP")
        row = column.row()
        row.operator("marigold.free_memory", icon="TRASH")
        if session.queue.holds_idle_memory:
            column.label(text="The worker keeps its model loaded", icon="INFO")
        row = column.row(align=True)
        row.operator("marigold.open_log", icon="TEXT").log = "WORKER"
        row.operator("preferences.addon_show", text="Preferences", icon="PREFERENCES").module = ROOT_PACKAGE


class MARIGOLD_PT_source_view3d(In3DView, SourcePanel, bpy.types.Panel):
    pass


class MARIGOLD_PT_source_image(InImageEditor, SourcePanel, bpy.types.Panel):
    pass


class MARIGOLD_PT_quality_view3d(In3DView, QualityPanel, bpy.types.Panel):
    pass


class MARIGOLD_PT_quality_image(InImageEditor, QualityPanel, bpy.types.Panel):
    pass


class MARIGOLD_PT_clip_view3d(In3DView, ClipPanel, bpy.types.Panel):
    pass


class MARIGOLD_PT_clip_image(InImageEditor, ClipPanel, bpy.types.Panel):
    pass


class MARIGOLD_PT_mesh_view3d(In3DView, MeshPanel, bpy.types.Panel):
    pass


class MARIGOLD_PT_mesh_image(InImageEditor, MeshPanel, bpy.types.Panel):
    bl_options = {"DEFAULT_CLOSED"}  # who works on the picture needs Depth of Field in reach


class MARIGOLD_PT_edges_view3d(In3DView, EdgesPanel, bpy.types.Panel):
    bl_parent_id = "MARIGOLD_PT_mesh_view3d"


class MARIGOLD_PT_edges_image(InImageEditor, EdgesPanel, bpy.types.Panel):
    bl_parent_id = "MARIGOLD_PT_mesh_image"


class MARIGOLD_PT_advanced_view3d(In3DView, AdvancedPanel, bpy.types.Panel):
    pass


class MARIGOLD_PT_advanced_image(InImageEditor, AdvancedPanel, bpy.types.Panel):
    pass


CLASSES = (
    MARIGOLD_PT_source_view3d,
    MARIGOLD_PT_source_image,
    MARIGOLD_PT_quality_view3d,
    MARIGOLD_PT_quality_image,
    MARIGOLD_PT_clip_view3d,
    MARIGOLD_PT_clip_image,
    MARIGOLD_PT_mesh_view3d,
    MARIGOLD_PT_mesh_image,
    MARIGOLD_PT_edges_view3d,
    MARIGOLD_PT_edges_image,
    MARIGOLD_PT_advanced_view3d,
    MARIGOLD_PT_advanced_image,
)
