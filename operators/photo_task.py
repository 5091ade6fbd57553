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
from .delivered_task import DeliveredTask
from .sources import Source, prepare_source
from .task import Phase, new_id


@dataclass
class PhotoTask(DeliveredTask):
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

    def bring(self, context: bpy.types.Context, result: dict[str, Any]) -> dict[str, Any]:
        depth = load_depth(result["files"])
        if is_of_render(depth):
            adopt_render_camera(context.scene, depth)
        made = {"depth": depth.name}
        if self.options:
            made["object"] = build_photo_scene(context, depth, self.options).name
        return made

    def run_blocking(self, queue: JobQueue, context: bpy.types.Context) -> dict[str, Any]:
        made = super().run_blocking(queue, context)
        if self.output:
            assert self.job is not None
            assert self.job.result is not None
            for kind, path in self.job.result["files"].items():
                if Path(path).parent == Path(self.output):  # the photo may be the user's own file
                    print(f"marigold: {kind}: {path}")
        return made
