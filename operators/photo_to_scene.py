# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold.photo_to_scene` and `marigold.estimate_depth`: photos to meshes, or to their depth alone; photos dropped on
the 3D View."""

from pathlib import Path

import bpy
from bpy.props import BoolProperty, CollectionProperty, StringProperty

from ..marigold_blender.errors import MarigoldError
from . import session
from .photo_task import PhotoTask
from .properties import EstimateProperties, MeshProperties
from .scene_settings import fill_unset
from .sources import Source, chosen_source

PHOTO_EXTENSIONS = ".jpg;.jpeg;.png;.tif;.tiff;.webp;.heic;.heif;.avif;.bmp;.exr;.hdr"


class PhotoOperator(EstimateProperties):
    """What both operators share: `invoke` queues the jobs and returns, `execute` blocks and raises on failure."""

    filepath: StringProperty(name="Photo", description="Path of the photo", subtype="FILE_PATH", options={"SKIP_SAVE"})
    image: StringProperty(
        name="Image", description="Name of an image in this file, or “Render Result”", options={"SKIP_SAVE"}
    )
    directory: StringProperty(
        name="Folder", description="Folder of the photos in Files", subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"}
    )
    files: CollectionProperty(
        name="Files",
        description="Several photos of one folder",
        type=bpy.types.OperatorFileListElement,
        options={"HIDDEN", "SKIP_SAVE"},
    )
    filter_image: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context, event):
        fill_unset(self, context.scene.marigold)
        if not self._names_a_source():
            for name, value in context.scene.marigold.chosen_source().items():
                setattr(self, name, value)
        if not self._names_a_source():
            context.window_manager.fileselect_add(self)
            return {"RUNNING_MODAL"}
        return self._queue(context)

    def execute(self, context):
        if self.options.is_invoke and not bpy.app.background:  # comes from the file browser
            return self._queue(context)
        failed: list[str] = []
        made: list[str] = []
        try:
            tasks = [self.task(context, source) for source in self._sources()]
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        for task in tasks:
            try:
                made += task.run_blocking(session.queue, context).values()
            except MarigoldError as error:
                failed.append(error.message)
        if failed:
            self.report({"ERROR"}, "\n".join(failed))
            return {"FINISHED" if made else "CANCELLED"}
        self.report({"INFO"}, f"Made {' and '.join(made)}")
        return {"FINISHED"}

    def _queue(self, context):
        try:
            for source in self._sources():
                session.start(self.task(context, source))
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        return {"FINISHED"}

    def _names_a_source(self) -> bool:
        return bool(self.filepath or self.image or self.files)

    def _sources(self) -> list[Source]:
        names = [file.name for file in self.files if file.name]
        if self.directory and names:
            folder = Path(bpy.path.abspath(self.directory))
            return [chosen_source(str(folder / name), "") for name in names]
        return [chosen_source(self.filepath, self.image)]

    def task(self, context, source: Source) -> PhotoTask:
        return PhotoTask(
            source=source,
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

    def task(self, context, source: Source) -> PhotoTask:
        task = super().task(context, source)
        task.output = bpy.path.abspath(self.output) or None
        return task


class MARIGOLD_FH_photo(bpy.types.FileHandler):
    bl_idname = "MARIGOLD_FH_photo"
    bl_label = "Photo to 3D"
    bl_import_operator = "marigold.photo_to_scene"
    bl_file_extensions = PHOTO_EXTENSIONS

    @classmethod
    def poll_drop(cls, context):
        return context.area is not None and context.area.type == "VIEW_3D"


CLASSES = (MARIGOLD_OT_photo_to_scene, MARIGOLD_OT_estimate_depth, MARIGOLD_FH_photo)
