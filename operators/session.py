# SPDX-License-Identifier: GPL-3.0-or-later
"""This Blender's queue and the tasks on their way through it: a timer moves them on while the window stays free.

The timer is persistent, so a job outlives the file it was started from. Panels draw from what stands here.
"""

from dataclasses import dataclass

import bpy

from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.worker.client.job import JobState
from ..marigold_blender.worker.client.jobs import JobQueue
from .config import idle_seconds, worker_config
from .photo_task import Phase, PhotoTask

BUSY_S = 0.1
IDLE_S = 1.0


@dataclass(frozen=True)
class Failure:
    """A failed task, to be shown until it is dismissed."""

    title: str
    error: MarigoldError


queue = JobQueue(worker_config, idle_seconds)
tasks: list[PhotoTask] = []
failures: list[Failure] = []


def start(task: PhotoTask) -> None:
    """Take a task on; the timer does the rest."""
    tasks.append(task)
    failures.clear()
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=BUSY_S, persistent=True)
    redraw()


def cancel(task: PhotoTask) -> None:
    if task.job:
        queue.cancel(task.job)
    if task.job is None or task.job.state.is_over:
        drop(task)
    redraw()


def drop(task: PhotoTask) -> None:
    """Forget a task and delete its files."""
    if task.job:
        queue.discard(task.job)
    tasks.remove(task)


def find(task_id: int) -> PhotoTask | None:
    return next((task for task in tasks if task.id == task_id), None)


def shutdown() -> None:
    """End the worker and forget everything: the extension is being disabled."""
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    queue.shutdown()
    tasks.clear()
    failures.clear()


def redraw() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"VIEW_3D", "IMAGE_EDITOR"}:
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


def _tick() -> float | None:
    changed = bool(queue.poll())
    for task in list(tasks):
        phase = task.phase
        try:
            _advance(task)
        except MarigoldError as error:
            failures.append(Failure(task.source.title, error))
            drop(task)
        changed |= task.phase is not phase or task.phase is Phase.OVER
    if changed:
        redraw()
    if tasks:
        return BUSY_S
    return IDLE_S if queue.worker_pid else None


def _advance(task: PhotoTask) -> None:
    """Take one step. Steps that hold the main thread start one tick after their stage is shown."""
    if task.phase is Phase.READING:
        task.queue_job(queue)
    elif task.phase is Phase.WORKING and task.job.state.is_over:
        if task.job.state is JobState.DONE:
            task.phase = Phase.BUILDING
        elif task.job.error:
            raise task.job.error
        else:
            drop(task)  # cancelled: nothing to tell
    elif task.phase in (Phase.BUILDING, Phase.WAITING):
        _build(task)


def _build(task: PhotoTask) -> None:
    scene = next((s for s in bpy.data.scenes if s.session_uid == task.scene_uid), None)
    if scene is None:
        task.phase = Phase.OFFERED
        return
    window = _window_of(scene)
    with bpy.context.temp_override(window=window):
        if bpy.context.mode != "OBJECT":
            task.phase = Phase.WAITING
            return
    with bpy.context.temp_override(window=window, scene=scene, view_layer=_view_layer(window, scene)):
        try:
            # True: one undo step of its own, which a call from a timer would otherwise not get
            bpy.ops.marigold.apply_result("EXEC_DEFAULT", True, task=task.id)
        except RuntimeError as error:
            raise MarigoldError("internal", f"The result could not be built: {error}") from error


def _window_of(scene: bpy.types.Scene) -> bpy.types.Window:
    windows = bpy.context.window_manager.windows
    return next((window for window in windows if window.scene == scene), windows[0])


def _view_layer(window: bpy.types.Window, scene: bpy.types.Scene) -> bpy.types.ViewLayer:
    return window.view_layer if window.scene == scene else scene.view_layers[0]
