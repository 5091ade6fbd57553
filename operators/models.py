# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators on models: choose, fetch, check, delete, add one's own, accept a licence, move the folder."""

import textwrap
from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.models.catalogue import DEFAULT_MODEL
from ..marigold_blender.models.deleting import delete_model
from ..marigold_blender.models.licences import LICENCES, accept_licence, is_accepted
from ..marigold_blender.models.local_models import register_local_model
from ..marigold_blender.models.naming import known_models, named_model
from . import session, state
from .model_task import ModelTask, work_blocking
from .properties import model_names

LICENCE_WIDTH = 480
LICENCE_CHARACTERS = 70


class WorkOperator:
    """What the operators with a job share: `invoke` queues it and returns, `execute` blocks and raises on failure."""

    def execute(self, context):
        try:
            task = self.work()
            if self.options.is_invoke and not bpy.app.background:
                session.start(task)
                return {"FINISHED"}
            result = work_blocking(task, session.queue)
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        self.report({"INFO"}, self.said(result))
        return {"FINISHED"}

    def said(self, result) -> str:
        return "Done"


class ModelOperator:
    """What names a model."""

    model: StringProperty(
        name="Model", description="Name of the model", search=model_names, search_options={"SUGGESTION"}
    )


class MARIGOLD_OT_download_model(WorkOperator, ModelOperator, bpy.types.Operator):
    bl_idname = "marigold.download_model"
    bl_label = "Download Model"
    bl_description = (
        "Fetch a model from the hub, or what is missing or damaged of it. It can be stopped at any time and goes on"
        " where it was"
    )

    accept_licence: BoolProperty(
        name="I Accept the Licence",
        description="Accept the licence of the model's weights, once for this user",
        options={"SKIP_SAVE"},
    )

    def invoke(self, context, event):
        try:
            model = named_model(self.model or DEFAULT_MODEL)
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        if is_accepted(model.licence):
            return self.execute(context)
        self.accept_licence = True  # by the dialog's button; whoever cancels accepts nothing
        return context.window_manager.invoke_props_dialog(
            self, width=LICENCE_WIDTH, title="The Model's Licence", confirm_text="Accept and Download"
        )

    def draw(self, context):
        draw_licence(self.layout, named_model(self.model or DEFAULT_MODEL).licence)

    def work(self) -> ModelTask:
        model = named_model(self.model or DEFAULT_MODEL)
        if self.accept_licence:
            accept_licence(model.licence)
        if not is_accepted(model.licence):
            raise MarigoldError("licence", f"The licence of {model.label} must be accepted before it is downloaded.")
        return ModelTask("download_model", f"Downloading {model.label}", {"model": model.name}, model.name)

    def said(self, result) -> str:
        return f"The model is in {result['folder']}"


class MARIGOLD_OT_verify_model(WorkOperator, ModelOperator, bpy.types.Operator):
    bl_idname = "marigold.verify_model"
    bl_label = "Check Files"
    bl_description = "Read all files of a model and compare them with what the hub announced"

    def invoke(self, context, event):
        return self.execute(context)

    def work(self) -> ModelTask:
        model = named_model(self.model or DEFAULT_MODEL)
        return ModelTask("verify_model", f"Checking {model.label}", {"model": model.name}, model.name, icon="VIEWZOOM")

    def said(self, result) -> str:
        damaged = result.get("damaged") or []
        return f"Damaged: {', '.join(damaged)}. Download the model to mend it." if damaged else "All files are whole"


class MARIGOLD_OT_move_models(WorkOperator, bpy.types.Operator):
    bl_idname = "marigold.move_models"
    bl_label = "Move Models"
    bl_description = "Move all models to another folder, for all Blender versions of this user"

    directory: StringProperty(
        name="Folder", description="Folder for the models. Empty: the default one", subtype="DIR_PATH"
    )
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context, event):
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def work(self) -> ModelTask:
        folder = str(Path(bpy.path.abspath(self.directory))) if self.directory else ""
        return ModelTask("move_models", "Moving the models", {"folder": folder}, icon="FILE_FOLDER")


class MARIGOLD_OT_delete_model(ModelOperator, bpy.types.Operator):
    bl_idname = "marigold.delete_model"
    bl_label = "Delete Model"
    bl_description = (
        "Delete a model from this computer and give its space back; one of your own is only taken off the list"
    )

    def invoke(self, context, event):
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context):
        session.queue.stop_idle_worker()  # Windows deletes no file that a process has mapped
        try:
            freed = delete_model(self.model)
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        finally:
            state.look_again()
        self.report({"INFO"}, f"Freed {freed / 1e9:.1f} GB")
        return {"FINISHED"}


class MARIGOLD_OT_accept_licence(bpy.types.Operator):
    bl_idname = "marigold.accept_licence"
    bl_label = "Accept Licence"
    bl_description = "Accept a licence of model weights, once for this user"

    licence: EnumProperty(
        name="Licence",
        description="The licence to accept",
        items=[(licence.id, licence.title, licence.summary) for licence in LICENCES.values() if licence.asks],
    )

    def invoke(self, context, event):
        return context.window_manager.invoke_props_dialog(self, width=LICENCE_WIDTH, confirm_text="Accept")

    def draw(self, context):
        draw_licence(self.layout, self.licence)

    def execute(self, context):
        try:
            accept_licence(self.licence)
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        state.look_again()
        return {"FINISHED"}


class TargetOperator:
    """What chooses a model in a panel."""

    target: EnumProperty(
        name="Target",
        description="What the model is chosen for",
        items=[
            ("SCENE", "Estimates", "What depth is estimated with"),
            ("TRAINING", "Training", "What training starts from"),
        ],
        options={"SKIP_SAVE"},
    )

    def choose(self, context, model: str) -> None:
        settings = context.scene.marigold
        if self.target == "TRAINING":
            settings.training.base = model
        else:
            settings.model = model


class MARIGOLD_OT_choose_model(TargetOperator, ModelOperator, bpy.types.Operator):
    bl_idname = "marigold.choose_model"
    bl_label = "Choose Model"
    bl_description = "Use this model"
    bl_options = {"INTERNAL", "UNDO"}

    @classmethod
    def description(cls, context, properties):
        model = known_models().get(properties.model)
        return model.description if model else cls.bl_description

    def execute(self, context):
        self.choose(context, self.model)
        return {"FINISHED"}


class MARIGOLD_OT_add_model(TargetOperator, bpy.types.Operator):
    bl_idname = "marigold.add_model"
    bl_label = "Add a Folder…"
    bl_description = (
        "Let a folder with a Marigold model in diffusers format appear among the models. It stays where it is"
    )

    directory: StringProperty(name="Folder", description="Folder that holds a model_index.json", subtype="DIR_PATH")
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context, event):
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context):
        try:
            model = register_local_model(Path(bpy.path.abspath(self.directory)))
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        state.look_again()
        self.choose(context, model.name)
        self.report({"INFO"}, f"Added “{model.label}”")
        return {"FINISHED"}


def draw_licence(layout: bpy.types.UILayout, name: str) -> None:
    """What a licence says in short, and where it stands."""
    licence = LICENCES[name]
    layout.label(text=licence.title, icon="TEXT")
    column = layout.column(align=True)
    for line in textwrap.wrap(licence.summary, LICENCE_CHARACTERS):
        column.label(text=line)
    layout.operator("wm.url_open", text="Read the Licence", icon="URL").url = licence.url


CLASSES = (
    MARIGOLD_OT_download_model,
    MARIGOLD_OT_verify_model,
    MARIGOLD_OT_move_models,
    MARIGOLD_OT_delete_model,
    MARIGOLD_OT_accept_licence,
    MARIGOLD_OT_choose_model,
    MARIGOLD_OT_add_model,
)
