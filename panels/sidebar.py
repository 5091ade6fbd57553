# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar tab *Marigold* in the 3D View and the Image Editor: the first three steps, the buttons, the job list."""

import bpy

from ..operators import state
from ..operators.words import duration
from . import guide
from .job_list import draw_jobs
from .source import draw_source, source_properties


class Sidebar:
    """What all our panels share; those below the main one wait until the first steps are done."""

    bl_category = "Marigold"
    bl_region_type = "UI"

    @classmethod
    def poll(cls, context):
        snapshot = state.current()
        return snapshot is not None and not guide.is_needed(snapshot)


class MainPanel:
    """Run, while something runs its progress, and what failed with its remedy."""

    bl_category = "Marigold"
    bl_region_type = "UI"
    bl_label = "Photo to 3D"

    def draw(self, context):
        layout = self.layout
        snapshot = state.current()
        if snapshot is None:
            layout.label(text="Looking at this computer…")
            return
        if guide.is_needed(snapshot):
            guide.draw_runtime_step(layout, context, snapshot)
            guide.draw_model_step(layout, context, snapshot)
            layout = guide.photo_step(layout, snapshot)
            draw_source(layout, context)
        draw_run(layout, context)
        draw_jobs(self.layout, context)


class MARIGOLD_PT_view3d(MainPanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"


class MARIGOLD_PT_image(MainPanel, bpy.types.Panel):
    bl_space_type = "IMAGE_EDITOR"


def draw_run(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The buttons, and what pressing them will take as far as this machine's past runs tell."""
    source = source_properties(context)
    column = layout.column(align=True)
    for index, (operator, icon) in enumerate((("photo_to_scene", "MESH_GRID"), ("estimate_depth", "IMAGE_DATA"))):
        row = column.row()
        row.scale_y = 1.0 if index else 1.5
        properties = row.operator(f"marigold.{operator}", icon=icon)
        for name, value in source.items():
            setattr(properties, name, value)
    settings = context.scene.marigold.estimate_settings()
    expected = state.past_runs().expected(state.run_kind(settings))
    if expected:
        memory = f", {expected.memory_mib / 1024:.1f} GB of memory" if expected.memory_mib else ""
        layout.label(text=f"About {duration(expected.seconds)}{memory}", icon="TIME")
    times = state.preset_times(settings)
    if len(times) > 1:
        layout.label(text=", ".join(f"{label} {duration(seconds)}" for label, seconds in times.items()), icon="PRESET")


CLASSES = (MARIGOLD_PT_view3d, MARIGOLD_PT_image)
