# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold.train`: fine-tunes a model on pictures that Blender renders of this file."""

import bpy

from ..marigold_blender.errors import MarigoldError
from . import session
from .scene_settings import fill_unset
from .train_task import TrainTask, train_blocking
from .training_properties import TrainingProperties


class MARIGOLD_OT_train(TrainingProperties, bpy.types.Operator):
    bl_idname = "marigold.train"
    bl_label = "Train on This File"
    bl_description = (
        "Render pictures of this file and fine-tune a model on them. It can be stopped at any time: what was trained"
        " is kept, and goes on when asked again"
    )

    def invoke(self, context, event):
        fill_unset(self, context.scene.marigold.training)
        task = TrainTask(self.training_request())
        if any(other.title == task.title for other in session.tasks):
            self.report({"ERROR"}, f"{task.title} is in the job list already.")
            return {"CANCELLED"}
        session.start(task)
        return {"FINISHED"}

    def execute(self, context):
        try:
            model = train_blocking(TrainTask(self.training_request()), session.queue)
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        self.report({"INFO"}, f"Trained “{model}”")
        return {"FINISHED"}


CLASSES = (MARIGOLD_OT_train,)
