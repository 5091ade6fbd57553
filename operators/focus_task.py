# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's depth of field for a scene's pass, from the settings to the picture: a task of the job list."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.scene.depth_of_field_best import (
    clip_request,
    is_clip_pass,
    show_result,
    write_sharp_picture,
)
from ..marigold_blender.scene.depth_of_field_render import RenderedFrame, finish_render
from ..marigold_blender.worker.client.job import Job
from ..marigold_blender.worker.client.jobs import JobQueue
from .delivered_task import DeliveredTask
from .task import Phase, new_id

RUN_KIND = "depth of field"


@dataclass
class FocusTask(DeliveredTask):
    """What was asked for, and how far it is.

    Attributes:
        scene_uid, scene_name: of the scene whose pass it is (a name may change, a pointer may die).
        output: the file to write; empty = it lives in the .blend alone. Of a clip the folder of its frames, or their
            name with # for the number; empty = beside its depth.
        rendered: what a rendered frame left; None: the photo or the clip of the pass.
    """

    scene_uid: int
    scene_name: str
    output: str = ""
    rendered: RenderedFrame | None = None
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
        frame = f", frame {self.rendered.frame}" if self.rendered else ""
        return f"Depth of field of {self.scene_name}{frame}"

    @property
    def uses(self) -> str:
        return ""

    def queue_job(self, queue: JobQueue) -> None:
        """Write picture and depth for the worker and hand the job to the queue.

        Raises:
            MarigoldError: the scene, its pass or its photo is gone, or the cache cannot be written.
        """
        scene = self._scene()
        folder = queue.new_folder()
        try:
            kind, payload = self._request(scene, folder)
        except (MarigoldError, OSError):
            queue.remove_folder(folder)
            raise
        self.job = queue.submit(kind, payload, folder, tag=RUN_KIND)
        self.phase = Phase.WORKING

    def _scene(self) -> bpy.types.Scene:
        scene = next((scene for scene in bpy.data.scenes if scene.session_uid == self.scene_uid), None)
        if scene is None:
            raise MarigoldError("bad_input", f"The scene “{self.scene_name}” is no longer in this file.")
        return scene

    def _request(self, scene: bpy.types.Scene, folder: Path) -> tuple[str, dict[str, Any]]:
        """The worker's task, and what it is asked."""
        if self.rendered:
            frame = self.rendered
            files = {"photo": str(frame.picture), "radius": str(frame.radius), "output": str(frame.target)}
            return "depth_of_field", {**files, "lens": frame.lens.to_json()}
        if is_clip_pass(scene):
            request = clip_request(scene)
            return "focus_clip", {**request, "output": self.output or str(Path(request["depth"]) / "focused")}
        request = write_sharp_picture(scene, folder)
        return "depth_of_field", {**request, "output": self.output or str(folder / "focused.exr")}

    def deliver(self) -> None:
        if not self.rendered:
            super().deliver()
            return
        # nothing in the scene changes, so that no undo step and no mode is waited for; but a render may still run
        self.phase = Phase.RENDERING
        if not bpy.app.is_job_running("RENDER"):
            self.apply(bpy.context)

    def discard(self) -> None:
        super().discard()
        if self.rendered:
            self.rendered.picture.unlink(missing_ok=True)
            self.rendered.radius.unlink(missing_ok=True)

    def bring(self, context: bpy.types.Context, result: dict[str, Any]) -> dict[str, Any]:
        """Show the result in the context's scene, and in the Image Editors that showed its photo.

        Of a rendered frame, write it in the render's format too.
        """
        if self.rendered:
            return {"picture": str(finish_render(self._scene(), self.rendered.target))}
        path = Path(result.get("picture") or result["pattern"])
        image = show_result(context.scene, path, keep_file=bool(self.output))
        show_in_editors(context, image)
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
