# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings a finished task's result into the scene it was started from, from a timer. Called by `delivered_task`."""

from typing import Protocol

import bpy

from ..marigold_blender.errors import MarigoldError
from .task import Phase


class Deliverable(Protocol):
    id: int
    phase: Phase
    scene_uid: int


def deliver(task: Deliverable) -> None:
    """Apply the result as one undo step; offer it if the scene is gone.

    It waits while another mode than Object is active, while something is being moved, and while Blender renders: data
    must not change under these.

    Raises:
        MarigoldError: the result could not be applied.
    """
    scene = next((s for s in bpy.data.scenes if s.session_uid == task.scene_uid), None)
    if scene is None:
        task.phase = Phase.OFFERED
        return
    if bpy.app.is_job_running("RENDER"):
        task.phase = Phase.RENDERING
        return
    window = _window_of(scene)
    if any(operator.bl_idname.startswith("TRANSFORM_OT") for operator in window.modal_operators):
        return
    with bpy.context.temp_override(window=window):
        if bpy.context.mode != "OBJECT":
            task.phase = Phase.WAITING
            return
    with bpy.context.temp_override(window=window, scene=scene, view_layer=_view_layer(window, scene)):
        try:
            # True: one undo step of its own, which a call from a timer would otherwise not get
            bpy.ops.marigold.apply_result("EXEC_DEFAULT", True, task=task.id)
        except RuntimeError as error:
            sentence = str(error).removeprefix("Error: ").strip()
            raise MarigoldError("internal", f"The result could not be built: {sentence}") from error


def _window_of(scene: bpy.types.Scene) -> bpy.types.Window:
    windows = bpy.context.window_manager.windows
    return next((window for window in windows if window.scene == scene), windows[0])


def _view_layer(window: bpy.types.Window, scene: bpy.types.Scene) -> bpy.types.ViewLayer:
    return window.view_layer if window.scene == scene else scene.view_layers[0]
