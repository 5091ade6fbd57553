# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold.add_depth_of_field` and `marigold.remove_depth_of_field`, and what decides how it looks."""

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.scene import depth_of_field_sockets as names
from ..marigold_blender.scene.depth_image import is_of_render, named_depth
from ..marigold_blender.scene.depth_of_field import add_pass, connect_fog_ray, remove_pass
from ..marigold_blender.scene.depth_of_field_best import is_best, is_clip_pass, show_nodes
from ..marigold_blender.scene.depth_of_field_group import Aperture, aperture_of
from ..marigold_blender.scene.depth_of_field_nodes import depth_of_pass, find_pass
from ..marigold_blender.scene.depth_of_field_render import remove_savers, saves
from . import session
from .focus_task import FocusTask
from .render_focus import focus_renders

# Properties of the operator and the inputs of the pass that they set.
INPUTS = {
    "focus": names.FOCUS,
    "blur_percent": names.BLUR_AT_FAR,
    "focus_distance": names.FOCUS_DISTANCE,
    "f_stop": names.F_STOP,
    "focal_length": names.FOCAL_LENGTH,
    "sensor_width": names.SENSOR_WIDTH,
    "near": names.NEAR,
    "far": names.FAR,
    "peaking": names.PEAKING,
    "fog_density": names.FOG_DENSITY,
    "fog_start": names.FOG_START,
    "fog_height": names.FOG_HEIGHT,
    "mask_near": names.MASK_NEAR,
    "mask_far": names.MASK_FAR,
    "mask_softness": names.MASK_SOFTNESS,
}
NOT_KEPT = {"SKIP_SAVE"}  # a button must not start from what an earlier one was given
SOCKETS = {socket.name: socket for socket in names.FLOATS}


def _input(name: str) -> object:
    """A property for an input of the pass. Its range is not limited: a number that cannot be is told, not clipped."""
    socket = SOCKETS[name]
    subtype = socket.subtype if socket.subtype == "DISTANCE" else "NONE"
    return FloatProperty(
        name=name, description=socket.description, default=socket.default, subtype=subtype, options=NOT_KEPT
    )


class MARIGOLD_OT_add_depth_of_field(bpy.types.Operator):
    bl_idname = "marigold.add_depth_of_field"
    bl_label = "Add Depth of Field"
    bl_description = "Focus the photo or the render after the fact: adds the pass to the compositing, or updates it"
    bl_options = {"UNDO"}

    depth: StringProperty(
        name="Depth",
        description="Name of the depth image. Empty: the one that the pass has, else the Z pass of the render",
        options=NOT_KEPT,
    )
    method: EnumProperty(
        name="Method",
        description="How the blur is made. If it is not given, it stays as it is",
        options=NOT_KEPT,
        items=[
            ("NODES", "Nodes", "Blender's Defocus, in the compositor: at once, and by frame"),
            (
                "BEST",
                "Best",
                "The worker's: true occlusion at edges, and faster. Its picture is shown by an Image node",
            ),
        ],
    )
    focus: _input(names.FOCUS)
    blur_percent: _input(names.BLUR_AT_FAR)
    focus_distance: _input(names.FOCUS_DISTANCE)
    f_stop: _input(names.F_STOP)
    focal_length: _input(names.FOCAL_LENGTH)
    sensor_width: _input(names.SENSOR_WIDTH)
    near: _input(names.NEAR)
    far: _input(names.FAR)
    peaking: _input(names.PEAKING)
    fog_density: _input(names.FOG_DENSITY)
    fog_start: _input(names.FOG_START)
    fog_height: _input(names.FOG_HEIGHT)
    mask_near: _input(names.MASK_NEAR)
    mask_far: _input(names.MASK_FAR)
    mask_softness: _input(names.MASK_SOFTNESS)
    blades: IntProperty(
        name="Blades", description="Corners of the aperture, 3 to 8. 0: round", min=0, max=8, options=NOT_KEPT
    )
    rotation: FloatProperty(name="Rotation", description="Rotation of the aperture", subtype="ANGLE", options=NOT_KEPT)
    max_blur: FloatProperty(
        name="Largest Blur",
        description="Largest blur radius in pixels. 0: a tenth of the width",
        min=0.0,
        options=NOT_KEPT,
    )
    match_render: BoolProperty(
        name="Match Render",
        description="Also set the render size to the photo's and the view transform to Standard, so that the render is"
        " the focused photo; removing the pass sets them back",
        options=NOT_KEPT,
    )
    output: StringProperty(
        name="Output",
        description="File that the method Best writes. Empty: the picture is packed into the .blend",
        subtype="FILE_PATH",
        options=NOT_KEPT,
    )

    def invoke(self, context, event):
        return self._run(context, blocking=bpy.app.background)

    def execute(self, context):
        return self._run(context, blocking=True)

    def _run(self, context, *, blocking):
        scene = context.scene
        try:
            depth = self._depth(scene)
            add_pass(scene, depth, self._values(), self._aperture(scene), match_render=self.match_render)
            self._after(context, depth, blocking)
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        return {"FINISHED"}

    def _after(self, context, depth, blocking):
        scene = context.scene
        if self.properties.is_property_set("fog_height"):
            connect_fog_ray(scene, scene.camera)
        if depth is None:
            self.report({"INFO"}, "Focused by the render's own Z pass")
        if self._method(scene) == "NODES":
            remove_savers(scene)
            show_nodes(scene)
        elif depth is None:
            focus_renders(scene)
        elif blocking:
            FocusTask.of(scene, self.output).run_blocking(session.queue, context)
        else:
            session.start(FocusTask.of(scene, self.output))

    def _method(self, scene) -> str:
        if self.properties.is_property_set("method"):
            return self.method
        return "BEST" if is_best(scene) or saves(scene) else "NODES"

    def _values(self) -> dict[str, float]:
        return {socket: getattr(self, name) for name, socket in INPUTS.items() if self.properties.is_property_set(name)}

    def _aperture(self, scene) -> Aperture | None:
        asked = [name for name in ("blades", "rotation", "max_blur") if self.properties.is_property_set(name)]
        if not asked:
            return None
        node = find_pass(scene)
        has = aperture_of(node.node_tree) if node else Aperture()
        return Aperture(
            blades=self.blades if "blades" in asked else has.blades,
            rotation=self.rotation if "rotation" in asked else has.rotation,
            max_blur_px=self.max_blur if "max_blur" in asked else has.max_blur_px,
        )

    def _depth(self, scene) -> bpy.types.Image | None:
        """The depth image that is meant, or None for a Z pass, which is used instead of an estimate of a render."""
        if not self.depth:
            if find_pass(scene):
                return depth_of_pass(scene)
            if scene.camera is None:
                raise MarigoldError(
                    "bad_input", "There is no depth yet: estimate the depth of a photo, or add a camera to render."
                )
            return None
        depth = named_depth(self.depth)
        has_z_pass = scene.camera is not None and any(layer.use_pass_z for layer in scene.view_layers)
        return None if is_of_render(depth) and has_z_pass else depth


class MARIGOLD_OT_remove_depth_of_field(bpy.types.Operator):
    bl_idname = "marigold.remove_depth_of_field"
    bl_label = "Remove Depth of Field"
    bl_description = "Take the pass out of the compositing; everything else stays"
    bl_options = {"UNDO"}

    def execute(self, context):
        try:
            remove_pass(context.scene)
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        return {"FINISHED"}


class MARIGOLD_OT_level_fog(bpy.types.Operator):
    bl_idname = "marigold.level_fog"
    bl_label = "Level Fog"
    bl_description = "Tell the fog how the scene's camera is tilted and which lens it has, so that it lies level"
    bl_options = {"UNDO"}

    def execute(self, context):
        try:
            connect_fog_ray(context.scene, context.scene.camera)
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        return {"FINISHED"}


def focus_anew(scene: bpy.types.Scene) -> None:
    """The focus was changed in the window: the worker's picture of a photo, where it is shown, is made again."""
    if not is_best(scene) or is_clip_pass(scene) or bpy.app.background:
        return
    for task in list(session.tasks):
        if isinstance(task, FocusTask) and task.scene_uid == scene.session_uid:
            session.cancel(task)
    session.start(FocusTask.of(scene, scene.marigold.focused))


CLASSES = (MARIGOLD_OT_add_depth_of_field, MARIGOLD_OT_remove_depth_of_field, MARIGOLD_OT_level_fog)
