# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold.estimate_clip`: the depth of a movie or an image sequence, frame by frame, kept in a folder."""

import bpy
from bpy.props import StringProperty

from ..marigold_blender.errors import MarigoldError
from . import session
from .clip_task import ClipTask
from .properties import ClipProperties, EstimateProperties
from .scene_settings import fill_unset


class MARIGOLD_OT_estimate_clip(EstimateProperties, ClipProperties, bpy.types.Operator):
    bl_idname = "marigold.estimate_clip"
    bl_label = "Estimate Depth of Clip"
    bl_description = "Estimate the depth of every frame of a movie or an image sequence; a run that was stopped goes on"

    filepath: StringProperty(
        name="Clip",
        description="A movie, the folder of an image sequence, or the name of its frames with # for the number",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    output: StringProperty(
        name="Output",
        description="Folder of the depth files. Empty: beside the clip",
        subtype="DIR_PATH",
        options={"SKIP_SAVE"},
    )
    filter_movie: bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_image: bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context, event):
        fill_unset(self, context.scene.marigold)
        if not self.filepath:
            context.window_manager.fileselect_add(self)
            return {"RUNNING_MODAL"}
        return self._run(context, blocking=bpy.app.background)

    def execute(self, context):
        from_browser = self.options.is_invoke and not bpy.app.background
        return self._run(context, blocking=not from_browser)

    def _run(self, context, *, blocking):
        try:
            task = self._task(context)
            if blocking:
                made = task.run_blocking(session.queue, context)
                self.report({"INFO"}, f"Made {made['depth']}")
            else:
                session.start(task)
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        return {"FINISHED"}

    def _task(self, context) -> ClipTask:
        clip = bpy.path.abspath(self.filepath).rstrip("/\\")
        if not clip:
            raise MarigoldError("bad_input", "Choose a clip first: a movie, or the folder of an image sequence.")
        output = bpy.path.abspath(self.output) or f"{clip.replace('#', '').rsplit('.', 1)[0].rstrip('_-. ')}_depth"
        return ClipTask(clip, output, self.estimate_settings(), self.steady, context.scene.session_uid)


CLASSES = (MARIGOLD_OT_estimate_clip,)
