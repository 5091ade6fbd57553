# SPDX-License-Identifier: GPL-3.0-or-later
"""Where it is focused: an eyedropper on the picture, an object, the camera, a rack between two keyframes."""

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.scene.depth_of_field_nodes import depth_of_pass, find_pass
from ..marigold_blender.scene.focus_drivers import focus_as_camera, focus_on_object, remove_focus_driver
from ..marigold_blender.scene.focusing import DepthProbe, focus_at_depth, focus_at_distance, set_focus
from .depth_of_field import focus_anew
from .eyedropper import Eyedropper


class FocusOperator:
    """What the operators here share: they need a pass, and fail in one sentence."""

    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context):
        cls.poll_message_set("Add depth of field first")
        return find_pass(context.scene) is not None

    def execute(self, context):
        try:
            self.apply(context)
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        focus_anew(context.scene)
        return {"FINISHED"}


class MARIGOLD_OT_pick_focus(Eyedropper, FocusOperator, bpy.types.Operator):
    bl_idname = "marigold.pick_focus"
    bl_label = "Pick Focus"
    bl_description = "Click on what shall be sharp, in the Image Editor or the camera view; the matched camera follows"

    x: FloatProperty(
        name="X", description="Place in the picture, 0 left to 1 right", default=0.5, options={"SKIP_SAVE"}
    )
    y: FloatProperty(
        name="Y", description="Place in the picture, 0 bottom to 1 top", default=0.5, options={"SKIP_SAVE"}
    )
    keyframe: BoolProperty(
        name="Keyframe", description="Also set a keyframe at the current frame", options={"SKIP_SAVE"}
    )
    cameras: BoolProperty(
        name="Matched Camera",
        description="Also focus the camera that matches the photo",
        default=True,
        options={"SKIP_SAVE"},
    )

    def apply(self, context):
        scene = context.scene
        focus = DepthProbe(scene).at(self.x, self.y)
        if focus is None:
            raise MarigoldError(
                "bad_input", f"Nothing is seen at ({self.x:g}, {self.y:g}): pick a place in the picture."
            )
        set_focus(scene, focus, frame=scene.frame_current if self.keyframe else None, cameras=self.cameras)
        self.report({"INFO"}, f"Focused at {focus.text}")

    def invoke(self, context, event):
        try:
            self.probe = DepthProbe(context.scene)
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        return self.start(context)

    def hovered(self, context, place):
        focus = self.probe.at(*place) if place else None
        found = f"Focus at {focus.text}" if focus else "Point at the picture in an Image Editor or the camera view"
        context.workspace.status_text_set(f"{found}  ·  click to focus, Esc to leave it")

    def clicked(self, context, place):
        if self.probe.at(*place) is None:
            return {"RUNNING_MODAL"}
        self.leave(context)
        self.x, self.y = place
        return self.execute(context)


class MARIGOLD_OT_focus_on(FocusOperator, bpy.types.Operator):
    bl_idname = "marigold.focus_on"
    bl_label = "Focus On"
    bl_description = "Keep the focus on an object, or as the scene's camera has it, also while they move"

    target: EnumProperty(
        name="Target",
        description="What decides the focus",
        items=[
            ("OBJECT", "Object", "The distance of an object from the scene's camera"),
            ("CAMERA", "Camera", "The camera's own focus: its focus object, else its distance"),
            ("NONE", "Nothing", "The focus stays where it is"),
        ],
    )
    object: StringProperty(
        name="Object", description="Name of the object. Empty: the active one", options={"SKIP_SAVE"}
    )

    def apply(self, context):
        if self.target == "CAMERA":
            focus_as_camera(context.scene)
        elif self.target == "NONE":
            remove_focus_driver(context.scene)
        else:
            chosen = context.scene.objects.get(self.object) if self.object else context.object
            if chosen is None:
                raise MarigoldError("bad_input", f"There is no object “{self.object}” in this scene: choose another.")
            focus_on_object(context.scene, chosen)


class MARIGOLD_OT_rack_focus(FocusOperator, bpy.types.Operator):
    bl_idname = "marigold.rack_focus"
    bl_label = "Rack Focus"
    bl_description = "Set two keyframes, between which the focus moves from one distance to another"

    frame_start: IntProperty(name="Start", description="Frame at which the focus begins to move", default=1)
    frame_end: IntProperty(name="End", description="Frame at which it arrives", default=48)
    focus_start: FloatProperty(
        name="From", description="Focus at the start: 0 near to 1 far; for a Z pass, a distance", default=0.0
    )
    focus_end: FloatProperty(
        name="To", description="Focus at the end: 0 near to 1 far; for a Z pass, a distance", default=1.0
    )

    def invoke(self, context, event):
        return context.window_manager.invoke_props_dialog(self)

    def apply(self, context):
        scene = context.scene
        image = depth_of_pass(scene)
        if self.frame_end <= self.frame_start:
            raise MarigoldError("bad_input", f"The rack must end after frame {self.frame_start}, where it begins.")
        for value in (self.focus_start, self.focus_end):
            if image is None and value <= 0.0:
                raise MarigoldError("bad_input", f"A focus at the distance {value:g} is not possible.")
            if image is not None and not 0.0 <= value <= 1.0:
                raise MarigoldError("bad_input", f"The focus {value:g} is outside of the depth: use 0 to 1.")
        for frame, value in ((self.frame_start, self.focus_start), (self.frame_end, self.focus_end)):
            focus = focus_at_distance(None, value) if image is None else focus_at_depth(image, value)
            set_focus(scene, focus, frame=frame)


CLASSES = (MARIGOLD_OT_pick_focus, MARIGOLD_OT_focus_on, MARIGOLD_OT_rack_focus)
