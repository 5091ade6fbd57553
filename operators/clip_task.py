# SPDX-License-Identifier: GPL-3.0-or-later
"""The depth of a clip, from the operator to the depth image: a task of the job list."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from ..marigold_blender.scene.depth_sequence import file_pattern, frames_of, load_depth_sequence
from ..marigold_blender.settings import EstimateSettings
from ..marigold_blender.worker.client.job import Job
from ..marigold_blender.worker.client.jobs import JobQueue
from .delivery import deliver
from .photo_task import wait_printing
from .task import Phase, WorkerTask, is_done, new_id


@dataclass
class ClipTask(WorkerTask):
    """What was asked for, and how far it is.

    Attributes:
        clip: movie, folder or name with #; output: folder of the depth; settings: of every frame.
        steady: frames follow each other; else each is estimated by itself.
        scene_uid: of the scene it was started from.
    """

    clip: str
    output: str
    settings: EstimateSettings
    steady: bool
    scene_uid: int
    id: int = field(default_factory=new_id)
    phase: Phase = Phase.READING
    job: Job | None = None
    icon: str = "SEQUENCE"
    offer: str = "Add to This File"

    @property
    def title(self) -> str:
        return Path(self.clip).name

    @property
    def uses(self) -> str:
        return self.settings.model

    def queue_job(self, queue: JobQueue) -> None:
        """Hand the job to the queue.

        Raises:
            MarigoldError: the cache cannot be written.
        """
        payload = {
            "clip": self.clip,
            "output": self.output,
            "settings": self.settings.to_json(),
            "steady": self.steady,
        }
        self.job = queue.submit("estimate_clip", payload, queue.new_folder(), tag="clip")
        self.phase = Phase.WORKING

    def advance(self, queue: JobQueue) -> None:
        if self.phase is Phase.READING:
            self.queue_job(queue)
        elif self.phase is Phase.WORKING:
            assert self.job is not None
            if is_done(self.job):
                self.phase = Phase.BUILDING
        elif self.phase.delivers:
            deliver(self)

    def apply(self, context: bpy.types.Context) -> dict[str, Any]:
        """Bring the depth into the file; its name. Image Editors that show the clip show it as the depth's photo.

        Raises:
            MarigoldError: it cannot be loaded.
        """
        assert self.job is not None
        assert self.job.result is not None
        depth = load_depth_sequence(Path(self.job.result["record"]), Path(self.clip))
        show_in_editors(context, depth.marigold.photo)
        self.discard()
        self.phase = Phase.OVER
        return {"depth": depth.name}


def show_in_editors(context: bpy.types.Context, clip: bpy.types.Image) -> None:
    """Let the Image Editors that show these files show this image of them, frame by frame."""
    files = file_pattern(clip)
    last = (frames_of(clip) or (1, 1))[1]
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            space = area.spaces.active
            if area.type != "IMAGE_EDITOR" or space.image is None or not frames_of(space.image):
                continue
            if file_pattern(space.image) == files:
                space.image = clip
                space.image_user.frame_start, space.image_user.frame_duration = 1, last
                space.image_user.use_auto_refresh = True


def run_clip_blocking(task: ClipTask, queue: JobQueue, context: bpy.types.Context) -> dict[str, Any]:
    """The whole way in one call, as scripts and background runs take it; the name of the depth image.

    Raises:
        MarigoldError: whatever fails.
    """
    task.queue_job(queue)
    assert task.job is not None
    wait_printing(task.job, task.title, queue)
    return task.apply(context)
