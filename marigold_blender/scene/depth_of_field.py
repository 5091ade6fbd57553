# SPDX-License-Identifier: GPL-3.0-or-later
"""The depth-of-field pass of a scene: added at the end of its compositing, updated, removed. Called by the operators.

The pass is one node: a group with the formulas (`depth_of_field_group`) whose inputs are the settings. It remembers in
a custom property what the scene was before, so that removing it restores that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import bpy

from ..errors import MarigoldError
from ..lens_settings import LARGEST_BLUR
from . import depth_of_field_sockets as names
from .compositor import (
    check_editable,
    compositing_tree,
    create_compositing,
    new_premultiply,
    output_socket,
    remove_compositing,
)
from .depth_image import is_depth_image, is_of_render
from .depth_of_field_group import DEFOCUS, DEFOCUS_EXCESS, GROUP_NAME, Aperture, build_group, set_aperture
from .depth_of_field_lens import adopt_camera, adopt_depth
from .depth_of_field_nodes import (
    BEFORE,
    MARK,
    depth_of_pass,
    find_pass,
    marked,
    pass_of,
    remember,
    remove_animation,
    restore,
    set_value,
)
from .depth_sequence import frames_of, play
from .depth_size import depth_size
from .focusing import first_focus, set_focus
from .fog_ray import ray_image

MATCHED = ("resolution_x", "resolution_y", "resolution_percentage", "pixel_aspect_x", "pixel_aspect_y")


def add_pass(
    scene: bpy.types.Scene,
    depth: bpy.types.Image | None,
    values: Mapping[str, float],
    aperture: Aperture | None = None,
    *,
    match_render: bool = False,
) -> bpy.types.Node:
    """Add the pass, or update the one that is there: never a second one.

    Args:
        depth: a depth image; None: the render's own Z pass, which needs a camera.
        values: numbers for the group's inputs by name (`depth_of_field_sockets`); others keep what they have.
        aperture: None: as it is. A largest blur of 0 becomes a tenth of the width.
        match_render: set the render's size to the photo's, and its view to Standard.

    Raises:
        MarigoldError: the scene or the depth cannot be used (`bad_input`); the scene is as it was.
    """
    check_editable(scene)
    _check_depth(scene, depth)
    check_values(values)
    _check_focus(depth, values)
    node = find_pass(scene)
    is_new = node is None
    if node is None:
        node = _new_pass(scene, depth)
    is_other_depth = is_new or depth_of_pass(scene) != depth
    _connect_depth(scene, node, depth)
    if match_render and depth is not None:
        _match_render(scene, node, depth)
    if depth is None:
        adopt_camera(scene, node)
    elif is_other_depth:  # else it follows its depth already
        adopt_depth(node, depth)
    _set_values(node, values)
    if is_new and not {names.FOCUS, names.FOCUS_DISTANCE} & values.keys():
        set_focus(scene, first_focus(scene), cameras=False)
    if aperture is not None:
        set_aperture(node.node_tree, aperture)
    limit = node.node_tree.nodes[DEFOCUS]
    if limit.blur_max == 0.0:  # Defocus would blur nothing
        limit.blur_max = LARGEST_BLUR * node.inputs[names.WIDTH].default_value - DEFOCUS_EXCESS
    return node


def _check_depth(scene: bpy.types.Scene, depth: bpy.types.Image | None) -> None:
    if depth is None:
        if scene.camera is None:
            raise MarigoldError("bad_input", f"“{scene.name}” has no camera, which a Z pass is measured from: add one.")
        return
    if not is_depth_image(depth):
        raise MarigoldError("bad_input", f"“{depth.name}” is not a depth image: estimate the depth of a photo first.")
    photo = depth.marigold.photo
    width, height = depth_size(depth)
    if photo is not None and photo.size[0] and tuple(photo.size) != (width, height):
        raise MarigoldError(
            "bad_input",
            f"“{photo.name}” has {photo.size[0]} × {photo.size[1]} pixels but “{depth.name}” {width} × {height}: "
            "estimate its depth again.",
        )


def _set_values(node: bpy.types.Node, values: Mapping[str, float]) -> None:
    """Set inputs; what is given decides whether metres and f-stops count, or the depth's own scale."""
    if {names.FOCUS_DISTANCE, names.F_STOP} & values.keys():
        set_value(node, names.METRIC, 1.0)
    elif {names.FOCUS, names.BLUR_AT_FAR} & values.keys():
        set_value(node, names.METRIC, 0.0)
    for name, value in values.items():
        set_value(node, name, value)


def _check_focus(depth: bpy.types.Image | None, values: Mapping[str, float]) -> None:
    if depth is None or names.FOCUS_DISTANCE not in values:
        return
    focus = values[names.FOCUS_DISTANCE]
    near, far = values.get(names.NEAR, depth.marigold.near), values.get(names.FAR, depth.marigold.far)
    if not near * (1 - 1e-6) <= focus <= far * (1 + 1e-6):
        raise MarigoldError(
            "bad_input",
            f"The focus at {focus:g} is outside of the scene, which reaches from {near:g} to {far:g}.",
        )


def check_values(values: Mapping[str, float]) -> None:
    """Refuse numbers that the inputs cannot take, which Blender would clip in silence.

    Raises:
        MarigoldError: `bad_input`.
    """
    sockets = {socket.name: socket for socket in names.FLOATS}
    for name, value in values.items():
        if name not in sockets:
            raise MarigoldError("bad_input", f"Depth of field has no “{name}”: use {', '.join(sockets)}.")
        socket = sockets[name]
        if not socket.low <= value <= socket.high:
            raise MarigoldError(
                "bad_input", f"{name} is {value:g}: use a number from {socket.low:g} to {socket.high:g}."
            )
    if names.NEAR in values and names.FAR in values and values[names.NEAR] >= values[names.FAR]:
        raise MarigoldError("bad_input", f"Far ({values[names.FAR]:g}) must lie beyond near ({values[names.NEAR]:g}).")


def remove_pass(scene: bpy.types.Scene) -> None:
    """Take the pass out; the scene is as it was before it, with what else was changed since.

    Raises:
        MarigoldError: there is none, or it cannot be changed (`bad_input`).
    """
    node = pass_of(scene)
    check_editable(scene)
    tree, group = node.id_data, node.node_tree
    before = json.loads(node[BEFORE])
    image = node.inputs[names.IMAGE]
    source = image.links[0].from_socket if image.is_linked else None
    targets = [link.to_socket for link in tree.links if link.from_node == node or link.from_node.get(MARK) == "best"]
    ours = [other for other in tree.nodes if MARK in other]
    if source is not None and MARK not in source.node:
        for target in targets:
            tree.links.new(source, target)
    for other in ours:
        remove_animation(other)
        tree.nodes.remove(other)
    if group.users == 0:
        bpy.data.node_groups.remove(group)
    restore(scene, before["values"])
    if before["created"]:
        remove_compositing(scene)


def _new_pass(scene: bpy.types.Scene, depth: bpy.types.Image | None) -> bpy.types.Node:
    """The group node between what the compositing gave and its output."""
    group = build_group()  # first: what can fail leaves the scene as it was
    tree = compositing_tree(scene)
    created = tree is None
    if tree is None:
        tree = create_compositing(scene)
    output = output_socket(tree)
    source = output.links[0].from_socket if output.is_linked else None
    node = tree.nodes.new("CompositorNodeGroup")
    node.node_tree = group
    node.name = node.label = GROUP_NAME
    node[MARK] = "pass"
    node[BEFORE] = json.dumps({"created": created, "values": {}})
    node.width = 220
    node.location = output.node.location
    output.node.location.x += 300
    if source is None:
        source = _picture(scene, tree, node, depth)
    tree.links.new(source, node.inputs[names.IMAGE])
    tree.links.new(node.outputs[names.IMAGE], output)
    if not scene.render.use_compositing:
        remember(scene, node, "render.use_compositing", True)
    return node


def _picture(
    scene: bpy.types.Scene, tree: bpy.types.NodeTree, node: bpy.types.Node, depth: bpy.types.Image | None
) -> bpy.types.NodeSocket:
    """The photo, or the render."""
    if depth is None or is_of_render(depth):
        return _render_layers(scene, tree, node).outputs["Image"]
    picture = tree.nodes.new("CompositorNodeImage")
    picture.image = depth.marigold.photo
    picture[MARK] = "picture"
    picture.location = (node.location.x - 500, node.location.y + 100)
    play(picture)
    if depth.marigold.mask is None:
        return picture.outputs["Image"]
    multiplied = new_premultiply(tree)
    multiplied[MARK] = "premultiplied"
    multiplied.location = (node.location.x - 250, node.location.y + 100)
    tree.links.new(picture.outputs["Image"], multiplied.inputs[0])
    return multiplied.outputs[0]


def _connect_depth(scene: bpy.types.Scene, node: bpy.types.Node, depth: bpy.types.Image | None) -> None:
    tree = node.id_data
    if depth is None:
        layers = _render_layers(scene, tree, node)
        if not scene.view_layers[layers.layer].use_pass_z:
            remember(scene, node, f'view_layers["{layers.layer}"].use_pass_z', True)
        tree.links.new(layers.outputs["Depth"], node.inputs[names.DEPTH])
        return
    found = marked(scene, "depth")
    if found is None:
        found = tree.nodes.new("CompositorNodeImage")
        found[MARK] = "depth"
        found.label = "Depth"
        found.location = (node.location.x - 500, node.location.y - 250)
    found.image = depth
    play(found)
    picture = marked(scene, "picture")
    if picture is not None:
        picture.image = depth.marigold.photo
        play(picture)
    tree.links.new(found.outputs["Image"], node.inputs[names.DEPTH])


def _render_layers(scene: bpy.types.Scene, tree: bpy.types.NodeTree, node: bpy.types.Node) -> bpy.types.Node:
    """The render's node: the user's if there is one."""
    for other in tree.nodes:
        if other.bl_idname == "CompositorNodeRLayers" and other.scene in (scene, None):
            return other
    layers = tree.nodes.new("CompositorNodeRLayers")
    layers.scene = scene
    layers[MARK] = "layers"
    layers.location = (node.location.x - 500, node.location.y)
    return layers


def connect_fog_ray(scene: bpy.types.Scene, camera: bpy.types.Object | None) -> None:
    """Give the pass the rays of a camera, which layered fog needs.

    Args:
        camera: None: level, with the lens that the pass has.
    """
    node = pass_of(scene)
    tree = node.id_data
    for other in [other for other in tree.nodes if other.get(MARK) == "ray"]:
        tree.nodes.remove(other)
    socket = ray_image(scene, node, camera, MARK)
    tree.links.new(socket, node.inputs[names.RAY])


def _match_render(scene: bpy.types.Scene, node: bpy.types.Node, depth: bpy.types.Image) -> None:
    width, height = depth_size(depth)
    for name, value in zip(MATCHED, (width, height, 100, 1.0, 1.0), strict=True):
        remember(scene, node, f"render.{name}", value)
    frames = frames_of(depth)
    if frames:
        remember(scene, node, "frame_start", frames[0])
        remember(scene, node, "frame_end", frames[1])
    for name, shown in (("view_transform", "Standard"), ("look", "None"), ("exposure", 0.0), ("gamma", 1.0)):
        remember(scene, node, f"view_settings.{name}", shown)
