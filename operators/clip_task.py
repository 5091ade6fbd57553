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
from .delivered_task import DeliveredTask
from .task import Phase, new_id


@dataclass
class ClipTask(DeliveredTask):
    """What was asked for, and how far it is.

    Attributes:
        clip: movie, folder or name with #; output: folder of the depth; settings: of every frame.
        steady: frames follow each other; else each is estimated by itself.
        scene_uid: of the scene it was started from.
    """

    NOTES_TIME = False  # another clip has another length

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
        payload = {
            "clip": self.clip,
            "output": self.output,
            "settings": self.settings.to_json(),
            "steady": self.steady,
        }
        self.job = queue.submit("estimate_clip", payload, queue.new_folder(), tag="clip")
        self.phase = Phase.WORKING

    def bring(self, context: bpy.types.Context, result: dict[str, Any]) -> dict[str, Any]:
        depth = load_depth_sequence(Path(result["record"]), Path(self.clip))
        show_in_editors(context, depth.marigold.photo)
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
