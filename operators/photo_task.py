# SPDX-License-Identifier: GPL-3.0-or-later
"""One photo's way from the click to the scene, in phases. Driven by `session` (window) or `run_blocking` (scripts)."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.scene.depth_image import is_of_render, load_depth
from ..marigold_blender.scene.photo_scene import PhotoSceneOptions, build_photo_scene
from ..marigold_blender.scene.scene_camera import adopt_render_camera
from ..marigold_blender.settings import EstimateSettings
from ..marigold_blender.worker.client.job import Job
from ..marigold_blender.worker.client.jobs import JobQueue
from . import state
from .delivery import deliver
from .sources import Source, prepare_source
from .task import Phase, WorkerTask, is_done, new_id


@dataclass
class PhotoTask(WorkerTask):
    """What was asked for, and how far it is.

    Attributes:
        source, settings: what to estimate.
        options: how to build the mesh; None = depth only.
        scene_uid: `session_uid` of the scene it was started from (a name may change, a pointer may die).
        output: folder that also gets the depth files; None = they live in the .blend alone.
    """

    source: Source
    settings: EstimateSettings
    options: PhotoSceneOptions | None
    scene_uid: int
    output: str | None = None
    id: int = field(default_factory=new_id)
    phase: Phase = Phase.READING
    job: Job | None = None
    icon: str = "IMAGE_DATA"
    offer: str = "Add to This Scene"

    @property
    def title(self) -> str:
        return self.source.title

    @property
    def uses(self) -> str:
        return self.settings.model

    def queue_job(self, queue: JobQueue) -> None:
        """Read the source and hand the job to the queue.

        Raises:
            MarigoldError: the source cannot be read, or the cache not written.
        """
        folder = queue.new_folder()
        try:
            request = prepare_source(self.source, folder)
        except MarigoldError:
            queue.remove_folder(folder)
            raise
        payload = {
            **request,
            "settings": self.settings.to_json(),
            "output": self.output or str(folder / "result"),
        }
        self.job = queue.submit("estimate", payload, folder, tag=state.run_kind(self.settings))
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

    def apply(self, context: bpy.types.Context) -> dict[str, Any]:
        """Bring the job's result into the context's scene; the names of what was made.

        Raises:
            MarigoldError: the result cannot be loaded.
        """
        assert self.job is not None
        assert self.job.result is not None
        depth = load_depth(self.job.result["files"])
        if is_of_render(depth):
            adopt_render_camera(context.scene, depth)
        made = {"depth": depth.name}
        if self.options:
            made["object"] = build_photo_scene(context, depth, self.options).name
        self.discard()
        self.phase = Phase.OVER
        return made


def run_blocking(task: PhotoTask, queue: JobQueue, context: bpy.types.Context) -> dict[str, Any]:
    """The whole way in one call, as scripts and background runs take it; the names of what was made.

    Raises:
        MarigoldError: whatever fails.
    """
    task.queue_job(queue)
    assert task.job is not None
    wait_printing(task.job, task.title, queue)
    assert task.job.result is not None
    state.past_runs().note(task.job.tag, task.job)
    if task.output:
        for kind, path in task.job.result["files"].items():
            if Path(path).parent == Path(task.output):  # the photo may be the user's own file
                print(f"marigold: {kind}: {path}")
    return task.apply(context)


def wait_printing(job: Job, title: str, queue: JobQueue) -> None:
    """Block until a job is done, printing its stages.

    Raises:
        MarigoldError: it failed.
    """
    shown = ""

    def show_stage(job: Job) -> None:
        nonlocal shown
        if job.stage != shown:
            shown = job.stage
            print(f"marigold: {title}: {shown}", flush=True)

    queue.wait(job, show_stage)
