# SPDX-License-Identifier: GPL-3.0-or-later
"""The section Training: a model of one's own, from pictures that Blender renders of this file."""

from pathlib import Path

import bpy

from ..operators import session, state
from ..operators.train_task import TrainTask
from .paragraph import paragraph
from .sections import In3DView, settings_column


class MARIGOLD_PT_training(In3DView, bpy.types.Panel):
    bl_label = "Training"
    bl_order = 6
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context):
        layout = self.layout
        training = context.scene.marigold.training
        column = settings_column(layout)
        column.prop(training, "name", placeholder=Path(bpy.data.filepath).stem or "untitled")
        draw_base(column, training)
        for name in ("views", "pictures", "steps", "resolution"):
            column.prop(training, name)
        header, body = column.panel("marigold_training_details", default_closed=True)
        header.label(text="Details")
        if body:
            for name in ("batch", "accumulate", "learning_rate", "seed"):
                body.prop(training, name)
        task = next((task for task in session.tasks if isinstance(task, TrainTask)), None)
        if task:
            layout.operator("marigold.cancel_job", text="Stop Training", icon="SNAP_FACE").task = task.id
            paragraph(layout, context, "What was trained is kept when it is stopped.")
        else:
            draw_progress_so_far(layout, context)
            layout.operator("marigold.train", icon="PLAY")


def draw_base(layout: bpy.types.UILayout, training: bpy.types.PropertyGroup) -> None:
    snapshot = state.current()
    model = snapshot.model(training.base) if snapshot else None
    row = layout.row(align=True).split(factor=0.4)
    row.alignment = "RIGHT"
    row.label(text="Base Model")
    row.menu("MARIGOLD_MT_base_models", text=model.label if model else Path(training.base).name)


def draw_progress_so_far(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What an earlier training under this name has left: it is what the button goes on with."""
    snapshot = state.current()
    if snapshot and (snapshot.training.pictures or snapshot.training.steps):
        so_far = f"{snapshot.training.pictures} pictures, {snapshot.training.steps} steps"
        paragraph(layout, context, f"There already: {so_far}. Training goes on from there.", "INFO")


CLASSES = (MARIGOLD_PT_training,)
