# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing a model: the menu of those that there are, and how the chosen one stands. Drawn by several panels."""

from pathlib import Path

import bpy

from ..marigold_blender.models.catalogue import CATALOGUE
from ..marigold_blender.models.status import ModelStatus
from ..operators import session, state
from ..operators.config import online_advice
from ..operators.model_task import ModelTask
from ..operators.words import size
from .paragraph import paragraph

STATE_ICONS = {"present": "CHECKMARK", "absent": "IMPORT", "partial": "IMPORT", "damaged": "ERROR"}


class MARIGOLD_MT_models(bpy.types.Menu):
    bl_label = "Model"
    bl_description = "The models that there are. A tick: it is on this computer"

    def draw(self, context):
        draw_model_entries(self.layout, "SCENE")


class MARIGOLD_MT_base_models(bpy.types.Menu):
    bl_label = "Base Model"
    bl_description = "The models that training can start from. A tick: it is on this computer"

    def draw(self, context):
        draw_model_entries(self.layout, "TRAINING")


def draw_model_entries(layout: bpy.types.UILayout, target: str) -> None:
    snapshot = state.current()
    for model in snapshot.models.values() if snapshot else ():
        text = model.label if model.state == "present" else f"{model.label}  ({size(model.bytes_total)})"
        entry = layout.operator("marigold.choose_model", text=text, icon=STATE_ICONS[model.state])
        entry.model, entry.target = model.name, target
    layout.separator()
    layout.operator("marigold.add_model", icon="FILE_FOLDER").target = target


def draw_model(layout: bpy.types.UILayout, context: bpy.types.Context, snapshot: state.Snapshot) -> None:
    """The chosen model, its state, and what can be done about that."""
    settings = context.scene.marigold
    model = snapshot.model(settings.model)
    label = model.label if model else Path(settings.model).name
    row = layout.row(align=True)
    split = row.split(factor=0.4)
    split.alignment = "RIGHT"
    split.label(text="Model")
    split.menu("MARIGOLD_MT_models", text=label)
    if model and model.state != "present":
        draw_missing_model(layout, context, model)


def draw_missing_model(layout: bpy.types.UILayout, context: bpy.types.Context, model: ModelStatus) -> None:
    """How to get a model that is not there as a whole."""
    if any(isinstance(task, ModelTask) and task.model == model.name for task in session.tasks):
        return  # the job list shows how far it is
    if model.name not in CATALOGUE:
        paragraph(layout, context, f"The folder “{model.folder}” is gone", "ERROR")
        return
    if advice := online_advice():
        draw_online_advice(layout, context, advice)
    left = size(max(model.bytes_total - model.bytes_present, 0))
    words = {
        "absent": f"Download ({size(model.bytes_total)})",
        "partial": f"Go On Downloading ({left} left)",
        "damaged": f"Mend ({left})",
    }
    row = layout.row()
    row.enabled = not advice
    row.operator("marigold.download_model", text=words[model.state], icon="IMPORT").model = model.name


def draw_online_advice(layout: bpy.types.UILayout, context: bpy.types.Context, advice: str) -> None:
    paragraph(layout, context, advice, "INTERNET")
    if not bpy.app.online_access_override:
        layout.operator("screen.userpref_show", text="Open System Preferences", icon="PREFERENCES").section = "SYSTEM"


CLASSES = (MARIGOLD_MT_models, MARIGOLD_MT_base_models)
