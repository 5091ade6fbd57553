# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators on the worker's Python environment: install, adopt, check, remove; and what an installation would do."""

from pathlib import Path

import bpy
from bpy.props import BoolProperty, StringProperty

from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.runtime.installer import InstallerJob, start_adopt, start_install, start_remove, start_verify
from . import config, session, state
from .runtime_task import RuntimeTask

TITLES = {
    "install": "Installing the runtime",
    "adopt": "Adopting an environment",
    "verify": "Checking the runtime",
    "remove": "Removing the runtime",
}


class RuntimeOperator:
    """What the operators share: `invoke` queues the installer and returns, `execute` blocks and raises on failure."""

    @classmethod
    def poll(cls, context):
        cls.poll_message_set("The installer is at work already: see the job list")
        return not any(isinstance(task, RuntimeTask) for task in session.tasks)

    def invoke(self, context, event):
        return self._queue()

    def execute(self, context):
        if self.options.is_invoke and not bpy.app.background:  # comes from a dialog or the file browser
            return self._queue()
        try:
            session.queue.stop_idle_worker()
            result = self.starter()().wait()
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        finally:
            state.look_again()
        self.report({"INFO"}, result.get("note") or "Done")
        return {"FINISHED"}

    def _queue(self):
        session.start(RuntimeTask(TITLES[self.action], self.starter()))
        return {"FINISHED"}


class MARIGOLD_OT_install_runtime(RuntimeOperator, bpy.types.Operator):
    bl_idname = "marigold.install_runtime"
    bl_label = "Install Runtime"
    bl_description = (
        "Make the Python environment with torch and diffusers in which depth is computed. What was there before keeps"
        " working until the new one has been checked"
    )
    action = "install"

    base_python: StringProperty(
        name="Base Python",
        description="Python to make the environment from. Empty: as the preferences say, else Blender's own",
        subtype="FILE_PATH",
    )
    force: BoolProperty(name="Make Anew", description="Install anew though it is ready")

    def starter(self):
        return install_starter(self.base_python, self.force)


def install_starter(base_python: str = "", force: bool = False):
    """What starts an installation as the preferences say; the preferences may be gone when it is tried again."""
    folder, base = config.runtime_folder(), base_python or config.base_python()
    accelerator = config.preferences().accelerator

    def start() -> InstallerJob:
        online = bpy.app.online_access
        return start_install(folder, base_python=base, accelerator=accelerator, online=online, force=force)

    return start


class MARIGOLD_OT_adopt_runtime(RuntimeOperator, bpy.types.Operator):
    bl_idname = "marigold.adopt_runtime"
    bl_label = "Use My Own Environment"
    bl_description = "Use a Python environment that you have made, with torch and diffusers in it. It stays yours"
    action = "adopt"

    filepath: StringProperty(
        name="Python", description="The environment's Python interpreter, or its folder", subtype="FILE_PATH"
    )

    def invoke(self, context, event):
        if self.filepath:
            return self._queue()
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def starter(self):
        folder, environment = config.runtime_folder(), Path(bpy.path.abspath(self.filepath))
        return lambda: start_adopt(folder, environment)


class MARIGOLD_OT_verify_runtime(RuntimeOperator, bpy.types.Operator):
    bl_idname = "marigold.verify_runtime"
    bl_label = "Check Runtime"
    bl_description = "See whether the runtime works, by estimating the depth of a small picture in it"
    action = "verify"

    def starter(self):
        folder = config.runtime_folder()
        return lambda: start_verify(folder)


class MARIGOLD_OT_remove_runtime(RuntimeOperator, bpy.types.Operator):
    bl_idname = "marigold.remove_runtime"
    bl_label = "Remove Runtime"
    bl_description = "Delete the Python environment and give its space back. Models and results stay"
    action = "remove"

    def invoke(self, context, event):
        return context.window_manager.invoke_confirm(self, event)

    def starter(self):
        folder = config.runtime_folder()
        return lambda: start_remove(folder)


CLASSES = (
    MARIGOLD_OT_install_runtime,
    MARIGOLD_OT_adopt_runtime,
    MARIGOLD_OT_verify_runtime,
    MARIGOLD_OT_remove_runtime,
)
