# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the node group *Marigold Live Depth*: a grid over the photo becomes the surface that its depth image shows.

Called by `live_mesh`. The formulas are those of `geometry.unprojection`, `geometry.shaping` and
`geometry.discontinuities`, which document them; tests hold the two equal.
"""

from __future__ import annotations

from typing import TypeAlias

import bpy

from . import live_sockets as names
from .field_math import FieldMath, fill_group
from .following import DEPTH_ATTRIBUTE, PICTURE_ATTRIBUTE
from .live_cut import cut_group
from .live_modifier import FORM, MARK, is_live_group
from .live_sampling import SOURCE, depth_group, disparity_group, smoothing_group

GROUP_NAME = "Marigold Live Depth"

Socket: TypeAlias = bpy.types.NodeSocket


def live_group() -> bpy.types.NodeTree:
    """The file's group, which all live meshes share: what they differ in are its inputs. Made where there is none."""
    for tree in bpy.data.node_groups:
        if is_live_group(tree) and tree.library is None:
            return tree
    depth_at = depth_group()
    disparity_at = disparity_group(depth_at)
    smoothed, cut = smoothing_group(disparity_at), cut_group(disparity_at)
    tree = bpy.data.node_groups.new(GROUP_NAME, "GeometryNodeTree")
    tree.is_modifier = True
    tree[MARK] = FORM
    _add_sockets(tree)
    fill_group(tree, lambda nodes, inputs: _fill(nodes, inputs, depth_at, smoothed, cut))
    return tree


def _fill(
    nodes: FieldMath,
    inputs: dict[str, Socket],
    depth_at: bpy.types.NodeTree,
    smoothed: bpy.types.NodeTree,
    cut: bpy.types.NodeTree,
) -> dict[str, Socket]:
    source = {name: inputs[name] for name in SOURCE}
    ratio = nodes.subtract(nodes.divide(inputs[names.FAR], inputs[names.NEAR]), 1.0)
    u, v = nodes.separate(nodes.attribute(PICTURE_ATTRIBUTE, "FLOAT_VECTOR"))
    processing = {name: inputs[name] for name in (names.PROCESSING_COLUMNS, names.PROCESSING_ROWS)}

    # Cut first: then only what is left is placed. Both read the photo's coordinates, not the positions.
    grid = {name: inputs[name] for name in (names.GRID_COLUMNS, names.GRID_ROWS, names.EDGE_THRESHOLD)}
    ratio_input = {names.RATIO: ratio}
    pieces = nodes.call(cut, Geometry=inputs["Geometry"], **source, **ratio_input, **grid, **processing)[0]
    is_cut = nodes.greater(inputs[names.EDGE_THRESHOLD], 0.0)
    geometry = nodes.switch("GEOMETRY", is_cut, inputs["Geometry"], pieces, "Cut")

    smooth = {names.SMOOTHING: inputs[names.SMOOTHING]}
    plain = nodes.call(depth_at, **source, U=u, V=v)[0]
    mean = nodes.call(smoothed, **source, **ratio_input, **smooth, **processing, U=u, V=v)[0]
    is_smooth = nodes.greater(inputs[names.SMOOTHING], 0.0)
    depth = nodes.switch("FLOAT", is_smooth, plain, mean, "Smoothed")
    geometry = nodes.store(geometry, DEPTH_ATTRIBUTE, depth)
    position = _position(nodes, inputs, u, v, nodes.attribute(DEPTH_ATTRIBUTE))
    return {"Geometry": nodes.connect(nodes.node("GeometryNodeSetPosition"), Geometry=geometry, Position=position)}


def _position(nodes: FieldMath, inputs: dict[str, Socket], u: Socket, v: Socket, depth: Socket) -> Socket:
    """Unprojection and relief, and the mixture of both: see `geometry.unprojection`."""
    info = nodes.node("GeometryNodeImageInfo")
    nodes.connect(info, Image=inputs[names.DEPTH])
    width, height = info.outputs["Width"], info.outputs["Height"]
    near, far, focal = inputs[names.NEAR], inputs[names.FAR], inputs[names.FOCAL_LENGTH]
    metric = nodes.add(near, nodes.multiply(depth, nodes.subtract(far, near)), "Distance")
    x, y = nodes.multiply(u, width), nodes.multiply(nodes.subtract(1.0, v), height)
    focal_y = nodes.multiply(focal, inputs[names.PIXEL_ASPECT], "Focal length in pixel heights")
    ray_x, ray_y = nodes.divide(metric, focal), nodes.divide(metric, focal_y)
    seen_x = nodes.multiply(nodes.subtract(x, inputs[names.PRINCIPAL_X]), ray_x, "Perspective X")
    seen_y = nodes.multiply(nodes.subtract(inputs[names.PRINCIPAL_Y], y), ray_y, "Perspective Y")
    unit_x, unit_y = nodes.divide(far, focal), nodes.divide(far, focal_y)
    flat_x = nodes.multiply(nodes.subtract(x, nodes.multiply(width, 0.5)), unit_x, "Relief X")
    flat_y = nodes.multiply(nodes.subtract(nodes.multiply(height, 0.5), y), unit_y, "Relief Y")
    share = inputs[names.PERSPECTIVE]
    return nodes.combine(
        nodes.choose(share, flat_x, seen_x), nodes.choose(share, flat_y, seen_y), nodes.multiply(metric, -1.0)
    )


def _add_sockets(tree: bpy.types.NodeTree) -> None:
    interface = tree.interface
    interface.new_socket(
        "Geometry", description="The surface that the photo shows", in_out="OUTPUT", socket_type="NodeSocketGeometry"
    )
    interface.new_socket(
        "Geometry", description="The grid over the photo", in_out="INPUT", socket_type="NodeSocketGeometry"
    )
    panels = {name: interface.new_panel(name) for name in (names.SURFACE, names.CAMERA, names.GRID)}
    for given in names.SOCKETS:
        socket = interface.new_socket(
            given.name,
            description=given.description,
            in_out="INPUT",
            socket_type=f"NodeSocket{given.kind}",
            parent=panels.get(given.panel),
        )
        socket.hide_in_modifier = given.hidden
        if given.kind == "Image":
            continue
        number = float if given.kind == "Float" else int
        if given.kind == "Float":
            socket.subtype = given.subtype
        socket.min_value, socket.max_value = number(given.low), number(given.high)
        socket.default_value = number(given.default)
