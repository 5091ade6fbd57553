# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold.photo_to_scene` and `marigold.estimate_depth`: a photo to a mesh, or to its depth alone."""

import bpy
from bpy.props import StringProperty

from ..marigold_blender.errors import MarigoldError
from . import session
from .photo_task import PhotoTask, run_blocking
from .properties import EstimateProperties, MeshProperties
from .scene_settings import fill_unset
from .sources import chosen_source


class PhotoOperator(EstimateProperties):
    """What both operators share: `invoke` queues the job and returns, `execute` blocks and raises on failure."""

    filepath: StringProperty(name="Photo", description="Path of the photo", subtype="FILE_PATH")
    image: StringProperty(name="Image", description="Name of an image in this file, or “Render Result”")
    filter_image: bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context, event):
        fill_unset(self, context.scene.marigold)
        if not self.filepath and not self.image:
            for name, value in context.scene.marigold.chosen_source().items():
                setattr(self, name, value)
        if not self.filepath and not self.image:
            context.window_manager.fileselect_add(self)
            return {"RUNNING_MODAL"}
        return self._queue(context)

    def execute(self, context):
        if self.options.is_invoke and not bpy.app.background:  # comes from the file browser
            return self._queue(context)
        try:
            made = run_blocking(self._task(context), session.queue, context)
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        self.report({"INFO"}, f"Made {' and '.join(made.values())}")
        return {"FINISHED"}

    def _queue(self, context):
        try:
            session.start(self._task(context))
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        return {"FINISHED"}

    def _task(self, context) -> PhotoTask:
        return PhotoTask(
            source=chosen_source(self.filepath, self.image),
            settings=self.estimate_settings(),
            options=self.scene_options() if isinstance(self, MeshProperties) else None,
            scene_uid=context.scene.session_uid,
        )


class MARIGOLD_OT_photo_to_scene(PhotoOperator, MeshProperties, bpy.types.Operator):
    bl_idname = "marigold.photo_to_scene"
    bl_label = "Photo to 3D"
    bl_description = "Estimate the depth of a photo with Marigold and build a mesh seen by a matching camera"


class MARIGOLD_OT_estimate_depth(PhotoOperator, bpy.types.Operator):
    bl_idname = "marigold.estimate_depth"
    bl_label = "Estimate Depth"
    bl_description = "Estimate the depth of a photo with Marigold, as an image: 0 near to 1 far"

    output: StringProperty(
        name="Output",
        description="Folder that also gets the depth files (EXR, PNG, preview, record). Empty: only the image is made",
        subtype="DIR_PATH",
    )

    def _task(self, context) -> PhotoTask:
        task = super()._task(context)
        task.output = bpy.path.abspath(self.output) or None
        return task


CLASSES = (MARIGOLD_OT_photo_to_scene, MARIGOLD_OT_estimate_depth)
