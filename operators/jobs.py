# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators on the job list: cancel, take the result, try again, copy or dismiss what failed, give memory back."""

import platform

import bpy
from bpy.props import IntProperty

from ..marigold_blender import __version__
from ..marigold_blender.errors import MarigoldError
from . import session, state


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
        for task in reversed(list(session.tasks)):  # those that wait first, or they would start
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


class FailureOperator:
    """What acts on one failure of the list, or on all."""

    failure: IntProperty(name="Failure", description="Number of the task that failed; 0: all of them")

    def chosen(self) -> list[session.Failure]:
        return [failure for failure in session.failures if self.failure in (0, failure.task.id)]

    @classmethod
    def poll(cls, context):
        cls.poll_message_set("Nothing has failed")
        return bool(session.failures)


class MARIGOLD_OT_retry_job(FailureOperator, bpy.types.Operator):
    bl_idname = "marigold.retry_job"
    bl_label = "Try Again"
    bl_description = "Start the failed job once more, as it was asked for"

    def execute(self, context):
        for failure in self.chosen():
            session.failures.remove(failure)
            session.start(failure.task.again())
        return {"FINISHED"}


class MARIGOLD_OT_dismiss_failures(FailureOperator, bpy.types.Operator):
    bl_idname = "marigold.dismiss_failures"
    bl_label = "Dismiss"
    bl_description = "Stop showing this message"
    bl_options = {"INTERNAL"}

    def execute(self, context):
        for failure in self.chosen():
            session.failures.remove(failure)
        state.redraw()
        return {"FINISHED"}


class MARIGOLD_OT_copy_failure(FailureOperator, bpy.types.Operator):
    bl_idname = "marigold.copy_failure"
    bl_label = "Copy Details"
    bl_description = "Copy the message, the versions and the last lines of the log to the clipboard, for a report"
    bl_options = {"INTERNAL"}

    def execute(self, context):
        context.window_manager.clipboard = "\n\n".join(map(failure_text, self.chosen()))
        self.report({"INFO"}, "Copied to the clipboard")
        return {"FINISHED"}


def failure_text(failure: session.Failure) -> str:
    """A failure as it is pasted into a report."""
    where = f"Marigold Depth {__version__}, Blender {bpy.app.version_string}, {platform.platform()}"
    error = failure.error
    return f"{failure.title}: {error.message}\n({error.kind}; {where})\n{error.details}".strip()


class MARIGOLD_OT_free_memory(bpy.types.Operator):
    bl_idname = "marigold.free_memory"
    bl_label = "Free GPU Memory"
    bl_description = (
        "End the idle worker, which gives back all memory that it holds, on the GPU and off it; the next job starts it"
    )

    @classmethod
    def poll(cls, context):
        cls.poll_message_set("No worker is idle")
        return session.queue.holds_idle_memory

    def execute(self, context):
        session.queue.stop_worker()
        state.redraw()
        return {"FINISHED"}


CLASSES = (
    MARIGOLD_OT_cancel_job,
    MARIGOLD_OT_apply_result,
    MARIGOLD_OT_retry_job,
    MARIGOLD_OT_dismiss_failures,
    MARIGOLD_OT_copy_failure,
    MARIGOLD_OT_free_memory,
)
