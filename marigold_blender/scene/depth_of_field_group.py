# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the node group *Marigold Depth of Field*: thin lens, Defocus, fog and mattes. Called by `depth_of_field`.

The formulas are those of `geometry.thin_lens`, which documents them, and of Beer and Lambert for the fog.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import bpy

from ..errors import MarigoldError
from . import depth_of_field_sockets as names
from .compositor import new_defocus, new_edges
from .node_math import NodeMath

GROUP_NAME = "Marigold Depth of Field"
DEFOCUS = "Defocus"  # name of the node that holds blades, rotation and the largest blur
SHAPES = {3: "TRIANGLE", 4: "SQUARE", 5: "PENTAGON", 6: "HEXAGON", 7: "HEPTAGON", 8: "OCTAGON"}
# Defocus spreads light over whole pixels: a disc comes out this much larger, and the smallest, made by a radius of 1,
# as large as one of 1.63 (second moments, the same on 4.2 to 5.2).
DEFOCUS_EXCESS, SMALLEST_DISC = 0.4, 1.633
PEAKING_COLOUR = (1.0, 0.15, 0.0, 1.0)
PEAKING_SHARP_PX = 1.0
SMALL = 1e-2
DENSEST = 30.0  # exponent of the fog below the camera: e^30 leaves nothing to see

Socket: TypeAlias = bpy.types.NodeSocket


def build_group() -> bpy.types.NodeTree:
    """A new node group.

    Raises:
        MarigoldError: this Blender has not got the nodes (`internal`); nothing of the group stays.
    """
    tree = bpy.data.node_groups.new(GROUP_NAME, "CompositorNodeTree")
    try:
        _fill(tree)
    except MarigoldError:
        bpy.data.node_groups.remove(tree)
        raise
    return tree


def _fill(tree: bpy.types.NodeTree) -> None:
    _add_sockets(tree)
    given, result = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
    nodes = NodeMath(tree)
    inputs = {socket.name: socket for socket in given.outputs if socket.name}
    depth, near, far = inputs[names.DEPTH], inputs[names.NEAR], inputs[names.FAR]
    metric = inputs[names.METRIC]

    scaled = nodes.add(near, nodes.multiply(depth, nodes.subtract(far, near)), "Depth as distance")
    distance = nodes.choose(inputs[names.DEPTH_IS_DISTANCE], scaled, depth, "Distance")
    safe_distance = nodes.largest(distance, names.TINY)
    relative_focus = nodes.add(near, nodes.multiply(inputs[names.FOCUS], nodes.subtract(far, near)))
    focus = nodes.largest(nodes.choose(metric, relative_focus, inputs[names.FOCUS_DISTANCE], "Focus"), names.TINY)
    strength = nodes.choose(metric, _strength_of_blur(nodes, inputs), _strength_of_f_stop(nodes, inputs), "Strength")
    off = nodes.subtract(nodes.divide(1.0, focus), nodes.divide(1.0, safe_distance))
    signed_radius = nodes.multiply(strength, off, "Blur radius in pixels")
    radius = nodes.math("ABSOLUTE", signed_radius)

    fogged = _fog(nodes, inputs, distance)
    blurred = _defocus(nodes, fogged, radius)
    shown = _peaking(nodes, inputs, blurred, radius)

    outputs = {socket.name: socket for socket in result.inputs if socket.name}
    near_matte, far_matte, mask = _mattes(nodes, inputs, distance)
    for name, socket in (
        (names.IMAGE, shown),
        (names.SHARP, fogged),
        (names.BLUR_RADIUS, radius),
        (names.SIGNED_RADIUS, signed_radius),
        (names.DISTANCE, distance),
        (names.NEAR_MATTE, near_matte),
        (names.FAR_MATTE, far_matte),
        (names.MASK, mask),
    ):
        tree.links.new(socket, outputs[name])
    result.location = (max(node.location.x for node in tree.nodes) + 250, 0)


@dataclass(frozen=True)
class Aperture:
    """What the group's Defocus node holds.

    Attributes:
        blades: corners, 3 to 8, or 0 for a disc.
        rotation: in radians, as a camera's *Aperture Rotation*.
        max_blur_px: the largest radius.
    """

    blades: int = 0
    rotation: float = 0.0
    max_blur_px: float = 0.0


def set_aperture(group: bpy.types.NodeTree, aperture: Aperture) -> None:
    """Give the group an aperture; what Defocus has no polygon for is round."""
    node = group.nodes[DEFOCUS]
    node.bokeh = SHAPES.get(aperture.blades, "CIRCLE")
    node.blur_max = max(aperture.max_blur_px - DEFOCUS_EXCESS, 0.0)
    if aperture.blades in SHAPES:
        # Defocus has a corner at the top and turns clockwise; Cycles has a side on the right and turns the other way.
        step = 2 * math.pi / aperture.blades
        angle = (math.pi / 2 - aperture.rotation - step / 2) % step
        node.angle = min(angle, math.pi / 2) if angle < (math.pi / 2 + step) / 2 else 0.0  # it reaches 90 degrees only


def aperture_of(group: bpy.types.NodeTree) -> Aperture:
    """The aperture that the group has, also where its node was edited by hand."""
    node = group.nodes[DEFOCUS]
    blades = next((count for count, shape in SHAPES.items() if shape == node.bokeh), 0)
    step = 2 * math.pi / blades if blades else math.pi
    rotation = (math.pi / 2 - node.angle - step / 2) % step if blades else 0.0
    return Aperture(blades, rotation, node.blur_max + DEFOCUS_EXCESS)


def _strength_of_f_stop(nodes: NodeMath, inputs: dict[str, Socket]) -> Socket:
    """f² / (2 N) · W / w, in pixels times the unit of distance: see `ThinLens.from_f_stop`."""
    focal = inputs[names.FOCAL_LENGTH]
    on_frame = nodes.divide(inputs[names.WIDTH], inputs[names.SENSOR_WIDTH])
    aperture = nodes.divide(nodes.multiply(focal, focal), nodes.multiply(inputs[names.F_STOP], 2000.0))
    return nodes.multiply(aperture, on_frame, "From the f-stop")


def _strength_of_blur(nodes: NodeMath, inputs: dict[str, Socket]) -> Socket:
    """The same from the blur of the farthest depth: see `ThinLens.from_blur`."""
    at_far = nodes.multiply(nodes.multiply(inputs[names.BLUR_AT_FAR], 0.005), inputs[names.WIDTH])
    reach = nodes.subtract(nodes.divide(1.0, inputs[names.NEAR]), nodes.divide(1.0, inputs[names.FAR]))
    return nodes.divide(at_far, nodes.largest(reach, 1e-9), "From the blur")


def _defocus(nodes: NodeMath, image: Socket, radius: Socket) -> Socket:
    """Defocus by a radius in pixels, and below its smallest disc a mixture of that disc with the sharp picture."""
    defocus = new_defocus(nodes.tree)
    defocus.name = DEFOCUS
    given = nodes.largest(nodes.subtract(radius, DEFOCUS_EXCESS), 1.0)
    disc = nodes.through(defocus, image, given)
    share = nodes.divide(radius, SMALLEST_DISC)
    return nodes.mix(nodes.limited(nodes.multiply(share, share)), image, disc, "Blurred")


def _fog(nodes: NodeMath, inputs: dict[str, Socket], distance: Socket) -> Socket:
    """Beer–Lambert: what is left of the light is e^(−density · way), with fog that thins exponentially upwards.

    Along a ray that climbs by h over its way, the mean density is that at the camera times (1 − e^−q) / q, q = h / H.
    """
    ray = nodes.tree.nodes.new("CompositorNodeSeparateColor")
    nodes.through(ray, inputs[names.RAY])
    slope, stretch = ray.outputs[0], ray.outputs[1]
    way = nodes.multiply(nodes.largest(nodes.subtract(distance, inputs[names.FOG_START]), 0.0), stretch)
    height = inputs[names.FOG_HEIGHT]
    climbed = nodes.divide(nodes.multiply(distance, slope), nodes.largest(height, names.TINY))
    q = nodes.largest(climbed, -DENSEST)
    is_small = nodes.math("LESS_THAN", nodes.math("ABSOLUTE", q), SMALL)  # there the quotient is 1 - q / 2
    quotient = nodes.divide(
        nodes.subtract(1.0, nodes.exponential(nodes.multiply(q, -1.0))), nodes.add(q, is_small, "Never 0")
    )
    layered = nodes.choose(is_small, quotient, nodes.subtract(1.0, nodes.multiply(q, 0.5)))
    mean = nodes.choose(nodes.math("GREATER_THAN", height, 0.0), 1.0, layered, "Mean density")
    depth = nodes.multiply(nodes.multiply(inputs[names.FOG_DENSITY], way), mean, "Optical depth")
    swallowed = nodes.subtract(1.0, nodes.exponential(nodes.multiply(depth, -1.0)), "Fog")
    alpha = nodes.tree.nodes.new("CompositorNodeSeparateColor")
    nodes.through(alpha, inputs[names.IMAGE])
    colour = nodes.mix(alpha.outputs[3], (0.0, 0.0, 0.0, 0.0), inputs[names.FOG_COLOUR])
    return nodes.mix(swallowed, inputs[names.IMAGE], colour, "Fogged")


def _peaking(nodes: NodeMath, inputs: dict[str, Socket], blurred: Socket, radius: Socket) -> Socket:
    """Edges of the picture that are sharp, in a colour that no photo is without reason."""
    edges = nodes.through(new_edges(nodes.tree), inputs[names.IMAGE])
    sharp = nodes.limited(nodes.subtract(1.0, nodes.divide(radius, PEAKING_SHARP_PX)))
    mark = nodes.limited(nodes.multiply(nodes.multiply(edges, 4.0), sharp))
    return nodes.mix(nodes.multiply(mark, inputs[names.PEAKING]), blurred, PEAKING_COLOUR, "Focus peaking")


def _mattes(nodes: NodeMath, inputs: dict[str, Socket], distance: Socket) -> tuple[Socket, Socket, Socket]:
    softness = nodes.largest(inputs[names.MASK_SOFTNESS], names.TINY)

    def beyond(end: Socket) -> Socket:
        return nodes.limited(nodes.add(nodes.divide(nodes.subtract(distance, end), softness), 0.5))

    near_matte = nodes.subtract(1.0, beyond(inputs[names.MASK_NEAR]), names.NEAR_MATTE)
    far_matte = beyond(inputs[names.MASK_FAR])
    mask = nodes.limited(nodes.subtract(nodes.subtract(1.0, near_matte), far_matte), names.MASK)
    return near_matte, far_matte, mask


def _add_sockets(tree: bpy.types.NodeTree) -> None:
    interface = tree.interface
    for name, description in ((names.IMAGE, "The focused picture"), (names.SHARP, "The picture in fog, without blur")):
        interface.new_socket(name, description=description, in_out="OUTPUT", socket_type="NodeSocketColor")
    for name, description in names.FLOAT_OUTPUTS:
        interface.new_socket(name, description=description, in_out="OUTPUT", socket_type="NodeSocketFloat")
    interface.new_socket(names.IMAGE, in_out="INPUT", socket_type="NodeSocketColor", description="The sharp picture")
    depth = interface.new_socket(
        names.DEPTH, in_out="INPUT", socket_type="NodeSocketFloat", description="0 near to 1 far, or a Z pass"
    )
    depth.default_value, depth.hide_value = 1.0, True
    ray = interface.new_socket(
        names.RAY,
        in_out="INPUT",
        socket_type="NodeSocketColor",
        description="Of each pixel's ray, how far it climbs (red) and how long it is (green) per unit of distance",
    )
    ray.default_value, ray.hide_value = (0.0, 1.0, 0.0, 1.0), True
    panels = {name: interface.new_panel(name) for name in (names.LENS, names.FOG, names.MASKS)}
    for float_socket in names.FLOATS:
        socket = interface.new_socket(
            float_socket.name,
            description=float_socket.description,
            in_out="INPUT",
            socket_type="NodeSocketFloat",
            parent=panels[float_socket.panel],
        )
        socket.subtype = float_socket.subtype
        socket.min_value, socket.max_value = float_socket.low, float_socket.high
        socket.default_value = float_socket.default
    colour = interface.new_socket(
        names.FOG_COLOUR,
        in_out="INPUT",
        socket_type="NodeSocketColor",
        description="Colour of the fog",
        parent=panels[names.FOG],
    )
    colour.default_value = (0.6, 0.7, 0.8, 1.0)
