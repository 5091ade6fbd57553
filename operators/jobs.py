# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators on running jobs: cancel, take the result, dismiss a message, give memory back."""

import bpy
from bpy.props import IntProperty

from ..marigold_blender.errors import MarigoldError
from . import session


class MARIGOLD_OT_cancel_job(bpy.types.Operator):
    bl_idname = "marigold.cancel_job"
    bl_label = "Cancel"
    bl_description = "Stop this job; nothing in the scene changes"

    task: IntProperty(name="Task", description="Number of the task; 0: all of them")

    @classmethod
    def poll(cls, context):
        cls.poll_message_set("No job is running")
        return bool(session.tasks)

    def execute(self, context):
        for task in list(session.tasks):
            if self.task in (0, task.id):
                session.cancel(task)
        return {"FINISHED"}


class MARIGOLD_OT_apply_result(bpy.types.Operator):
    bl_idname = "marigold.apply_result"
    bl_label = "Add to This Scene"
    bl_description = "Bring a finished result into this scene"
    bl_options = {"INTERNAL", "UNDO"}

    task: IntProperty(name="Task", description="Number of the task", options={"HIDDEN"})

    @classmethod
    def poll(cls, context):
        cls.poll_message_set("Leave Edit Mode first: the result is added in Object Mode")
        return context.mode == "OBJECT"

    def execute(self, context):
        task = session.find(self.task)
        if task is None:
            self.report({"ERROR"}, "This result is no longer there: estimate again, it is kept in the cache.")
            return {"CANCELLED"}
        try:
            made = task.apply(context)
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        session.drop(task)
        self.report({"INFO"}, f"Made {' and '.join(made.values())}")
        return {"FINISHED"}


class MARIGOLD_OT_dismiss_failures(bpy.types.Operator):
    bl_idname = "marigold.dismiss_failures"
    bl_label = "Dismiss"
    bl_description = "Stop showing these messages"
    bl_options = {"INTERNAL"}

    def execute(self, context):
        session.failures.clear()
        session.redraw()
        return {"FINISHED"}


class MARIGOLD_OT_copy_failure(bpy.types.Operator):
    bl_idname = "marigold.copy_failure"
    bl_label = "Copy Details"
    bl_description = "Copy the message and the worker's last log lines to the clipboard"
    bl_options = {"INTERNAL"}

    def execute(self, context):
        context.window_manager.clipboard = "\n\n".join(
            f"{failure.title}: {failure.error.message}\n{failure.error.details}".strip() for failure in session.failures
        )
        return {"FINISHED"}


class MARIGOLD_OT_free_memory(bpy.types.Operator):
    bl_idname = "marigold.free_memory"
    bl_label = "Free Memory"
    bl_description = (
        "End the idle worker, which gives back all memory it holds (on the GPU too); the next job starts it"
    )

    @classmethod
    def poll(cls, context):
        cls.poll_message_set("No worker is idle")
        return session.queue.worker_pid is not None and not session.queue.active

    def execute(self, context):
        session.queue.stop_worker()
        return {"FINISHED"}


CLASSES = (
    MARIGOLD_OT_cancel_job,
    MARIGOLD_OT_apply_result,
    MARIGOLD_OT_dismiss_failures,
    MARIGOLD_OT_copy_failure,
    MARIGOLD_OT_free_memory,
)
