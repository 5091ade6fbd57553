# SPDX-License-Identifier: GPL-3.0-or-later
"""The compositor of a scene and its nodes, whatever the Blender version: every branch of it stands here.

Blender 5.0 made a scene's compositing a node group of its own, turned the Composite node into the group's output and
the compositor's mathematical nodes into those of shaders. Called by the files of the depth-of-field pass.
"""

from __future__ import annotations

import bpy

from ..errors import MarigoldError

GROUPS_ARE_COMPOSITING = (5, 0, 0)


def compositing_tree(scene: bpy.types.Scene) -> bpy.types.NodeTree | None:
    """The scene's compositing, or None where it has none or does not use it."""
    if bpy.app.version >= GROUPS_ARE_COMPOSITING:
        return scene.compositing_node_group
    return scene.node_tree if scene.use_nodes else None


def create_compositing(scene: bpy.types.Scene) -> bpy.types.NodeTree:
    """Compositing for a scene that has none, without nodes."""
    if bpy.app.version >= GROUPS_ARE_COMPOSITING:
        tree = bpy.data.node_groups.new("Compositing", "CompositorNodeTree")
        scene.compositing_node_group = tree
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        return tree
    scene.use_nodes = True
    scene.node_tree.nodes.clear()
    return scene.node_tree


def remove_compositing(scene: bpy.types.Scene) -> None:
    """Undo `create_compositing`."""
    if bpy.app.version >= GROUPS_ARE_COMPOSITING:
        tree = scene.compositing_node_group
        scene.compositing_node_group = None
        if tree is not None and tree.users == 0:
            bpy.data.node_groups.remove(tree)
    else:
        scene.node_tree.nodes.clear()
        scene.use_nodes = False


def check_editable(scene: bpy.types.Scene) -> None:
    """Refuse a scene whose compositing cannot be changed, or not without changing another scene.

    Raises:
        MarigoldError: `bad_input`.
    """
    tree = compositing_tree(scene)
    if scene.library is not None or (tree is not None and tree.library is not None):
        raise MarigoldError(
            "bad_input", f"“{scene.name}” comes from another file: make it local before adding depth of field."
        )
    if bpy.app.version >= GROUPS_ARE_COMPOSITING and tree is not None:
        for other in bpy.data.scenes:
            if other != scene and other.compositing_node_group == tree:
                raise MarigoldError(
                    "bad_input",
                    f"The compositing “{tree.name}” is also in use by the scene “{other.name}”: make it single-user.",
                )


def output_socket(tree: bpy.types.NodeTree) -> bpy.types.NodeSocket:
    """The socket that what is linked to becomes the render; its node is made where there is none."""
    kind = "NodeGroupOutput" if bpy.app.version >= GROUPS_ARE_COMPOSITING else "CompositorNodeComposite"
    nodes = [node for node in tree.nodes if node.bl_idname == kind]
    node = next((node for node in nodes if getattr(node, "is_active_output", False)), nodes[0] if nodes else None)
    if node is None:
        node = tree.nodes.new(kind)
    if bpy.app.version >= GROUPS_ARE_COMPOSITING and not _has_outputs(tree):
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    return node.inputs[0]


def _has_outputs(tree: bpy.types.NodeTree) -> bool:
    return any(item.item_type == "SOCKET" and item.in_out == "OUTPUT" for item in tree.interface.items_tree)


def new_node(tree: bpy.types.NodeTree, *kinds: str) -> bpy.types.Node:
    """A node of the first kind that this version's compositor has.

    4.2 knows only the compositor's own mathematical nodes, 5.0 only the shaders'.

    Raises:
        MarigoldError: it has none of them (`internal`).
    """
    for kind in kinds:
        if hasattr(bpy.types, kind):
            try:
                return tree.nodes.new(kind)
            except RuntimeError:  # known, but not in a compositor
                continue
    raise MarigoldError(
        "internal",
        f"Blender {bpy.app.version_string} composites in a way that this version of the extension does not know: "
        "use Blender 4.2 to 5.2, or update the extension.",
        details=f"no node of the kind {' or '.join(kinds)}",
    )


def new_math(tree: bpy.types.NodeTree, operation: str) -> bpy.types.Node:
    node = new_node(tree, "CompositorNodeMath", "ShaderNodeMath")
    node.operation = operation
    return node


def new_mix(tree: bpy.types.NodeTree) -> tuple[list[bpy.types.NodeSocket], bpy.types.NodeSocket]:
    """A mix of two colours: factor, first and second colour; and the mixture."""
    if bpy.app.version < GROUPS_ARE_COMPOSITING:
        node = tree.nodes.new("CompositorNodeMixRGB")
        return [node.inputs[0], node.inputs[1], node.inputs[2]], node.outputs[0]
    node = tree.nodes.new("ShaderNodeMix")
    node.data_type = "RGBA"
    inputs = {socket.identifier: socket for socket in node.inputs}
    result = next(socket for socket in node.outputs if socket.identifier == "Result_Color")
    return [inputs["Factor_Float"], inputs["A_Color"], inputs["B_Color"]], result


def new_edges(tree: bpy.types.NodeTree) -> bpy.types.Node:
    """A filter that finds edges."""
    node = tree.nodes.new("CompositorNodeFilter")
    if bpy.app.version < GROUPS_ARE_COMPOSITING:
        node.filter_type = "SOBEL"
    else:
        node.inputs["Type"].default_value = "Sobel"
    return node


def new_stretch(tree: bpy.types.NodeTree) -> bpy.types.Node:
    """A node that stretches a picture to the size of the render."""
    node = tree.nodes.new("CompositorNodeScale")
    if bpy.app.version < GROUPS_ARE_COMPOSITING:
        node.space, node.frame_method = "RENDER_SIZE", "STRETCH"
    else:
        node.inputs["Type"].default_value = "Render Size"
        node.inputs["Frame Type"].default_value = "Stretch"
        for axis in ("Extension X", "Extension Y"):
            if axis in node.inputs:  # 5.1
                node.inputs[axis].default_value = "Extend"
    return node


def new_defocus(tree: bpy.types.NodeTree) -> bpy.types.Node:
    """A Defocus node whose input Z is the radius of the blur in pixels."""
    node = tree.nodes.new("CompositorNodeDefocus")
    node.use_zbuffer = False
    node.z_scale, node.blur_max = 1.0, 0.0
    if hasattr(node, "use_preview"):  # until 5.0: a draft of lower quality
        node.use_preview = False
    if hasattr(node, "threshold"):
        node.threshold = 0.0
    return node


def new_premultiply(tree: bpy.types.NodeTree) -> bpy.types.Node:
    """A node that multiplies colours with their alpha, as the compositor expects them."""
    node = tree.nodes.new("CompositorNodePremulKey")
    if bpy.app.version < GROUPS_ARE_COMPOSITING:
        node.mapping = "STRAIGHT_TO_PREMUL"
    else:
        node.inputs["Type"].default_value = "To Premultiplied"
    return node


def new_file_output(tree: bpy.types.NodeTree, name: str, source: bpy.types.NodeSocket) -> bpy.types.Node:
    """A node that writes a socket as 32-bit EXR whenever the scene is rendered; `set_output_folder` says where.

    The files' names begin with `name`; what follows, and whether a still has the frame's number, is up to the version.
    """
    node = tree.nodes.new("CompositorNodeOutputFile")
    if bpy.app.version >= GROUPS_ARE_COMPOSITING:
        node.file_name = f"{name}_"
        node.format.media_type = "IMAGE"
        item = node.file_output_items.new("RGBA" if source.type == "RGBA" else "FLOAT", "frame")
        target = node.inputs[item.name]
    else:
        node.file_slots.clear()
        node.file_slots.new(f"{name}_frame")
        target = node.inputs[0]
    node.format.file_format = "OPEN_EXR"
    node.format.color_mode, node.format.color_depth, node.format.exr_codec = "RGBA", "32", "ZIP"
    tree.links.new(source, target)
    return node


def set_output_folder(node: bpy.types.Node, folder: str) -> None:
    """Where a File Output node writes."""
    if bpy.app.version >= GROUPS_ARE_COMPOSITING:
        node.directory = folder
    else:
        node.base_path = folder


def play_frames(node: bpy.types.Node, last: int) -> None:
    """Have an Image node show the file of a sequence, or the frame of a movie, that the scene's frame names.

    Args:
        last: number of the last frame.
    """
    node.frame_start, node.frame_offset, node.frame_duration = 1, 0, last
    node.use_auto_refresh = True


def animation_of(socket: bpy.types.NodeSocket) -> bpy.types.FCurve | None:
    """The curve that animates a node's input, or None."""
    data = socket.id_data.animation_data
    if data is None or data.action is None:
        return None
    path = socket.path_from_id("default_value")
    if bpy.app.version < GROUPS_ARE_COMPOSITING:
        return data.action.fcurves.find(path)
    bags = [
        bag
        for layer in data.action.layers
        for strip in layer.strips
        for bag in strip.channelbags
        if bag.slot == data.action_slot
    ]
    return next((curve for bag in bags for curve in bag.fcurves if curve.data_path == path), None)
