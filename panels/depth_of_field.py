# SPDX-License-Identifier: GPL-3.0-or-later
"""The section Depth of Field: what is sharp, how much the rest is blurred, fog and mattes: the pass's inputs."""

import bpy

from ..marigold_blender.scene import depth_of_field_sockets as names
from ..marigold_blender.scene.depth_of_field_best import depth_behind, is_best
from ..marigold_blender.scene.depth_of_field_group import DEFOCUS
from ..marigold_blender.scene.depth_of_field_nodes import depth_of_pass, find_pass
from ..marigold_blender.scene.depth_of_field_render import saves
from ..marigold_blender.scene.depth_sequence import file_pattern, frames_of
from ..marigold_blender.scene.focus_drivers import is_focus_driven
from .result import shown_depth
from .sections import In3DView, InImageEditor

RELATIVE = (names.FOCUS, names.BLUR_AT_FAR)
METRIC = (names.FOCUS_DISTANCE, names.F_STOP, names.FOCAL_LENGTH)
FOG = (names.FOG_DENSITY, names.FOG_START, names.FOG_HEIGHT, names.FOG_COLOUR)
MASKS = (names.MASK_NEAR, names.MASK_FAR, names.MASK_SOFTNESS)


class DepthOfFieldPanel:
    bl_label = "Depth of Field"
    bl_order = 4

    def draw(self, context):
        node = find_pass(context.scene)
        if node is None:
            draw_add(self.layout, context)
        else:
            draw_pass(self.layout, context, node)


class FogPanel:
    bl_label = "Fog"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context):
        draw_inputs(self.layout, find_pass(context.scene), FOG)
        row = self.layout.row()
        row.operator("marigold.level_fog", icon="OUTLINER_DATA_LIGHTPROBE")


class MattesPanel:
    bl_label = "Mattes"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context):
        draw_inputs(self.layout, find_pass(context.scene), MASKS)
        self.layout.label(text="Outputs of the node, in the Compositor", icon="NODE_COMPOSITING")


def draw_add(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    depth = depth_here(context)
    column = layout.column()
    operator = column.operator("marigold.add_depth_of_field", icon="CAMERA_DATA")
    operator.depth = depth.name if depth else ""
    if depth:
        operator.match_render = context.scene.marigold.match_render
        column.label(text=depth.name, icon="IMAGE_DATA")
        column.prop(context.scene.marigold, "match_render")
    elif context.scene.camera:
        column.label(text="By the Z pass of the render", icon="RENDER_STILL")
    else:
        column.label(text="Estimate the depth of a photo first", icon="INFO")
    if not depth:
        clip = clip_here(context)
        operator = column.operator("marigold.estimate_clip", icon="SEQUENCE")
        operator.filepath = str(file_pattern(clip)) if clip else ""


def draw_pass(layout: bpy.types.UILayout, context: bpy.types.Context, node: bpy.types.Node) -> None:
    scene = context.scene
    depth = depth_of_pass(scene)
    layout.label(text=depth.name if depth else "True Z pass of the render", icon="IMAGE_DATA")
    row = layout.row(align=True)
    best = is_best(scene) or saves(scene)
    for method, label, pressed in (("NODES", "Nodes", not best), ("BEST", "Best", best)):
        operator = row.operator("marigold.add_depth_of_field", text=label, depress=pressed)
        operator.method, operator.output = method, scene.marigold.focused
    if depth:
        layout.prop(scene.marigold, "focused", text="", placeholder="Best also writes to this file")
    if saves(scene):
        layout.label(text="Each saved render is focused beside it: NAME_dof", icon="INFO")
    layout.operator("marigold.pick_focus", icon="EYEDROPPER")
    metric = node.inputs[names.METRIC].default_value >= 0.5
    draw_inputs(layout, node, METRIC if metric else RELATIVE)
    if depth:
        layout.prop(node.inputs[names.METRIC], "default_value", text="Metres and F-Stops", slider=True)
    row = layout.row(align=True)
    row.operator("marigold.focus_on", text="On Object", icon="OBJECT_DATA").target = "OBJECT"
    row.operator("marigold.focus_on", text="As Camera", icon="CAMERA_DATA").target = "CAMERA"
    if is_focus_driven(node):
        row.operator("marigold.focus_on", text="", icon="X").target = "NONE"
    layout.operator("marigold.rack_focus", icon="KEYFRAME")
    defocus = node.node_tree.nodes[DEFOCUS]
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    for name, label in (("bokeh", "Aperture"), ("angle", "Rotation"), ("blur_max", "Largest Blur")):
        column.prop(defocus, name, text=label)
    draw_inputs(layout, node, (names.PEAKING,))
    layout.operator("marigold.remove_depth_of_field", icon="TRASH")


def draw_inputs(layout: bpy.types.UILayout, node: bpy.types.Node, inputs: tuple[str, ...]) -> None:
    """Inputs of the pass, with the dots that set keyframes."""
    column = layout.column()
    column.use_property_split = True
    for name in inputs:
        column.prop(node.inputs[name], "default_value", text=name)


def depth_here(context: bpy.types.Context) -> bpy.types.Image | None:
    """The depth that this editor shows something of."""
    if context.space_data.type == "IMAGE_EDITOR":
        image = context.space_data.image
        return depth_behind(image) if image else None
    return shown_depth(context)


def clip_here(context: bpy.types.Context) -> bpy.types.Image | None:
    """The movie or image sequence that this Image Editor shows."""
    image = context.space_data.image if context.space_data.type == "IMAGE_EDITOR" else None
    return image if image and frames_of(image) else None


def _has_pass(context: bpy.types.Context) -> bool:
    return find_pass(context.scene) is not None


class MARIGOLD_PT_dof_view3d(In3DView, DepthOfFieldPanel, bpy.types.Panel):
    bl_options = {"DEFAULT_CLOSED"}


class MARIGOLD_PT_dof_image(InImageEditor, DepthOfFieldPanel, bpy.types.Panel):
    pass


class MARIGOLD_PT_fog_view3d(In3DView, FogPanel, bpy.types.Panel):
    bl_parent_id = "MARIGOLD_PT_dof_view3d"

    @classmethod
    def poll(cls, context):
        return _has_pass(context)


class MARIGOLD_PT_fog_image(InImageEditor, FogPanel, bpy.types.Panel):
    bl_parent_id = "MARIGOLD_PT_dof_image"

    @classmethod
    def poll(cls, context):
        return _has_pass(context)


class MARIGOLD_PT_mattes_view3d(In3DView, MattesPanel, bpy.types.Panel):
    bl_parent_id = "MARIGOLD_PT_dof_view3d"

    @classmethod
    def poll(cls, context):
        return _has_pass(context)


class MARIGOLD_PT_mattes_image(InImageEditor, MattesPanel, bpy.types.Panel):
    bl_parent_id = "MARIGOLD_PT_dof_image"

    @classmethod
    def poll(cls, context):
        return _has_pass(context)


CLASSES = (
    MARIGOLD_PT_dof_view3d,
    MARIGOLD_PT_dof_image,
    MARIGOLD_PT_fog_view3d,
    MARIGOLD_PT_fog_image,
    MARIGOLD_PT_mattes_view3d,
    MARIGOLD_PT_mattes_image,
)
