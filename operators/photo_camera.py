# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold.set_photo_camera`: the camera of a photo from its metadata, from a camera of the scene, or as a crop."""

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty

from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.scene.depth_image import named_depth
from ..marigold_blender.scene.scene_camera import camera_from_metadata, camera_of_crop, scene_camera


class MARIGOLD_OT_set_photo_camera(bpy.types.Operator):
    bl_idname = "marigold.set_photo_camera"
    bl_label = "Set Photo Camera"
    bl_description = "Take the photo's focal length and principal point from somewhere; meshes and cameras follow"
    bl_options = {"UNDO"}

    depth: StringProperty(name="Depth", description="Name of the depth image")
    source: EnumProperty(
        name="From",
        description="Where the camera is known from",
        items=[
            ("METADATA", "Metadata", "What the photo's EXIF tells, with the axis in the middle"),
            ("SCENE", "Scene Camera", "A camera that sees the scene as the photo shows it"),
            ("CROP", "Crop", "The photo was cut out of a larger picture, whose middle the axis goes through"),
        ],
    )
    camera: StringProperty(name="Camera", description="Name of the scene's camera. Empty: the active one")
    width: IntProperty(name="Full Width", description="Width of the picture before it was cut", subtype="PIXEL", min=1)
    height: IntProperty(
        name="Full Height", description="Height of the picture before it was cut", subtype="PIXEL", min=1
    )
    left: IntProperty(name="Left", description="How much was cut off on the left", subtype="PIXEL", min=0)
    top: IntProperty(name="Top", description="How much was cut off at the top", subtype="PIXEL", min=0)

    def invoke(self, context, event):
        return context.window_manager.invoke_props_dialog(self) if self.source == "CROP" else self.execute(context)

    def draw(self, context):
        self.layout.use_property_split = True
        for name in ("width", "height", "left", "top"):
            self.layout.prop(self, name)

    def execute(self, context):
        try:
            image = named_depth(self.depth)
            if self.source == "METADATA":
                camera = camera_from_metadata(image)
            elif self.source == "CROP":
                camera = camera_of_crop(image, self.width, self.height, self.left, self.top)
            else:
                if self.camera and self.camera not in context.scene.objects:
                    raise MarigoldError("bad_input", f"There is no camera “{self.camera}” here: choose another.")
                camera = scene_camera(context.scene, context.scene.objects.get(self.camera), image)
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        image.marigold.move(focal_px=camera.focal_px, cx=camera.cx, cy=camera.cy, pixel_aspect=camera.pixel_aspect)
        self.report({"INFO"}, f"The photo's camera has {camera.focal_35mm:.1f} mm on 35 mm film")
        return {"FINISHED"}


CLASSES = (MARIGOLD_OT_set_photo_camera,)
