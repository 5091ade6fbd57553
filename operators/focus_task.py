# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's depth of field for a scene's pass, from the settings to the picture: a task of the job list."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import bpy

from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.scene.depth_of_field_best import show_result, write_sharp_picture
from ..marigold_blender.worker.client.job import Job
from ..marigold_blender.worker.client.jobs import JobQueue
from ..marigold_blender.worker.client.past_runs import PastRuns
from . import state
from .delivery import deliver
from .photo_task import wait_printing
from .task import Phase, Shown, is_done, job_shown, new_id

RUN_KIND = "depth of field"


@dataclass
class FocusTask:
    """What was asked for, and how far it is.

    Attributes:
        scene_uid, scene_name: of the scene whose pass it is (a name may change, a pointer may die).
        output: the file to write; empty = it lives in the .blend alone.
    """

    scene_uid: int
    scene_name: str
    output: str = ""
    id: int = field(default_factory=new_id)
    phase: Phase = Phase.READING
    job: Job | None = None
    icon: str = "CAMERA_DATA"
    offer: str = "Show in This Scene"

    @classmethod
    def of(cls, scene: bpy.types.Scene, output: str = "") -> "FocusTask":
        return cls(scene.session_uid, scene.name, bpy.path.abspath(output) if output else "")

    @property
    def title(self) -> str:
        return f"Depth of field of {self.scene_name}"

    @property
    def uses(self) -> str:
        return ""

    def queue_job(self, queue: JobQueue) -> None:
        """Write picture and depth for the worker and hand the job to the queue.

        Raises:
            MarigoldError: the scene, its pass or its photo is gone, or the cache cannot be written.
        """
        scene = next((scene for scene in bpy.data.scenes if scene.session_uid == self.scene_uid), None)
        if scene is None:
            raise MarigoldError("bad_input", f"The scene “{self.scene_name}” is no longer in this file.")
        folder = queue.new_folder()
        try:
            request = write_sharp_picture(scene, folder)
        except (MarigoldError, OSError):
            queue.remove_folder(folder)
            raise
        payload = {**request, "output": self.output or str(folder / "focused.exr")}
        self.job = queue.submit("depth_of_field", payload, folder, tag=RUN_KIND)
        self.phase = Phase.WORKING

    def advance(self, queue: JobQueue) -> None:
        if self.phase is Phase.READING:
            self.queue_job(queue)
        elif self.phase is Phase.WORKING:
            assert self.job is not None
            if is_done(self.job):
                state.past_runs().note(self.job.tag, self.job)
                self.phase = Phase.BUILDING
        elif self.phase.delivers:
            deliver(self)

    def cancel(self, queue: JobQueue) -> None:
        if self.job:
            queue.cancel(self.job)
        if self.job is None or self.job.state.is_over:
            self.phase = Phase.OVER

    def discard(self) -> None:
        if self.job:
            JobQueue.discard(self.job)

    def shown(self, past_runs: PastRuns, now: float) -> Shown:
        if self.phase is not Phase.WORKING or self.job is None:
            return Shown(self.phase.value, self.job.overall if self.job else 0.0)
        return job_shown(self.job, past_runs.seconds_left(self.job.tag, self.job, now))

    def again(self) -> "FocusTask":
        return replace(self, id=new_id(), phase=Phase.READING, job=None)

    def apply(self, context: bpy.types.Context) -> dict[str, Any]:
        """Show the result in the context's scene, and in the Image Editors that showed its photo.

        Raises:
            MarigoldError: the pass is gone, or the result cannot be loaded.
        """
        assert self.job is not None
        assert self.job.result is not None
        image = show_result(context.scene, Path(self.job.result["picture"]), keep_file=bool(self.output))
        show_in_editors(context, image)
        self.discard()
        self.phase = Phase.OVER
        return {"picture": image.name}


def show_in_editors(context: bpy.types.Context, image: bpy.types.Image) -> None:
    """Let the Image Editors that show the photo or its depth show the focused picture instead."""
    depth = image.get("marigold_depth")
    if depth is None:
        return
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "IMAGE_EDITOR" and area.spaces.active.image in (depth, depth.marigold.photo):
                area.spaces.active.image = image


def run_focus_blocking(task: FocusTask, queue: JobQueue, context: bpy.types.Context) -> dict[str, Any]:
    """The whole way in one call, as scripts and background runs take it; the name of the picture.

    Raises:
        MarigoldError: whatever fails.
    """
    task.queue_job(queue)
    assert task.job is not None
    wait_printing(task.job, task.title, queue)
    return task.apply(context)
