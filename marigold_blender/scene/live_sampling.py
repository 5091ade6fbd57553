# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the live group that read the depth image: depth, disparity and smoothed depth at a place of the picture.

Called by `live_group`. The formulas are those of `geometry.sampling` and `geometry.shaping`, which document them.
"""

from __future__ import annotations

from typing import TypeAlias

import bpy

from ..geometry.shaping import KERNEL, LIKENESS
from . import live_sockets as names
from .field_math import FieldMath, field_group

Socket: TypeAlias = bpy.types.NodeSocket
LEAST_SHARE = 1e-6  # below it is rounding, not a valid pixel
SOURCE = {names.DEPTH: "Image", names.MASK: "Image", names.CURVE: "Float"}
PLACE = {"U": "Float", "V": "Float"}


def depth_group() -> bpy.types.NodeTree:
    """A group that gives the depth with its curve, and the share of valid pixels that it is made of."""

    def fill(nodes: FieldMath, inputs: dict[str, Socket]) -> dict[str, Socket]:
        u, v = inputs["U"], inputs["V"]
        info = nodes.connect(nodes.node("GeometryNodeImageInfo"), Image=inputs[names.MASK])
        has_mask = nodes.greater(info, 0.5)  # its width
        valid = nodes.switch("FLOAT", has_mask, 1.0, nodes.red_at(inputs[names.MASK], u, v))
        stored = nodes.red_at(inputs[names.DEPTH], u, v)
        # Invalid pixels hold 1: taken out of the mixture, they leave the mean of the valid ones.
        mean = nodes.divide(nodes.subtract(stored, nodes.subtract(1.0, valid)), nodes.largest(valid, LEAST_SHARE))
        masked = nodes.choose(nodes.less(valid, LEAST_SHARE), mean, 1.0)
        depth = nodes.switch("FLOAT", has_mask, stored, masked)
        curve = inputs[names.CURVE]
        is_curved = nodes.greater(nodes.math("ABSOLUTE", nodes.subtract(curve, 1.0)), 1e-6)
        curved = nodes.math("POWER", nodes.largest(depth, 0.0), curve)
        return {"Depth": nodes.switch("FLOAT", is_curved, depth, curved), "Valid": valid}

    return field_group("Marigold Depth at Place", SOURCE | PLACE, {"Depth": "Float", "Valid": "Float"}, fill)


def disparity_group(depth_at: bpy.types.NodeTree) -> bpy.types.NodeTree:
    """A group that gives the disparity, 1 at the near end, and the share of valid pixels."""

    def fill(nodes: FieldMath, inputs: dict[str, Socket]) -> dict[str, Socket]:
        depth, valid = nodes.call(depth_at, **{name: inputs[name] for name in SOURCE | PLACE})
        disparity = nodes.divide(1.0, nodes.add(1.0, nodes.multiply(depth, inputs[names.RATIO])))
        return {"Disparity": disparity, "Valid": valid}

    inputs = SOURCE | {names.RATIO: "Float"} | PLACE
    return field_group("Marigold Disparity at Place", inputs, {"Disparity": "Float", "Valid": "Float"}, fill)


def smoothing_group(disparity_at: bpy.types.NodeTree) -> bpy.types.NodeTree:
    """A group that gives the depth made of the mean disparity of the neighbours that are like the middle."""
    tap = _tap_group(disparity_at)
    shared = SOURCE | {names.RATIO: "Float"}

    def fill(nodes: FieldMath, inputs: dict[str, Socket]) -> dict[str, Socket]:
        source = {name: inputs[name] for name in shared}
        u, v = inputs["U"], inputs["V"]
        steps = nodes.divide(inputs[names.SMOOTHING], inputs[names.PROCESSING_COLUMNS])
        right = {-1: nodes.subtract(u, steps), 0: u, 1: nodes.add(u, steps)}
        steps = nodes.divide(inputs[names.SMOOTHING], inputs[names.PROCESSING_ROWS])
        up = {-1: nodes.subtract(v, steps), 0: v, 1: nodes.add(v, steps)}
        middle = nodes.call(disparity_at, **source, U=u, V=v)[0]
        total: Socket = nodes.multiply(middle, KERNEL[0, 0])
        weights: Socket | float = KERNEL[0, 0]
        for (x, y), share in KERNEL.items():
            if (x, y) != (0, 0):
                weight, weighted = nodes.call(tap, **source, U=right[x], V=up[y], Middle=middle, Share=share)
                total, weights = nodes.add(total, weighted), nodes.add(weights, weight)
        reciprocal = nodes.divide(weights, total)
        return {"Depth": nodes.divide(nodes.subtract(reciprocal, 1.0), inputs[names.RATIO])}

    inputs = shared | {names.SMOOTHING: "Float", names.PROCESSING_COLUMNS: "Int", names.PROCESSING_ROWS: "Int"} | PLACE
    return field_group("Marigold Smoothed Depth", inputs, {"Depth": "Float"}, fill)


def _tap_group(disparity_at: bpy.types.NodeTree) -> bpy.types.NodeTree:
    """A group that gives the weight of a neighbour (Tukey's biweight times its share), and its weighted disparity."""
    shared = SOURCE | {names.RATIO: "Float"} | PLACE

    def fill(nodes: FieldMath, inputs: dict[str, Socket]) -> dict[str, Socket]:
        disparity, valid = nodes.call(disparity_at, **{name: inputs[name] for name in shared})
        middle = inputs["Middle"]
        off = nodes.divide(nodes.subtract(disparity, middle), nodes.multiply(middle, LIKENESS))
        alike = nodes.largest(nodes.subtract(1.0, nodes.multiply(off, off)), 0.0)
        weight = nodes.multiply(nodes.multiply(nodes.multiply(alike, alike), valid), inputs["Share"])
        return {"Weight": weight, "Weighted": nodes.multiply(weight, disparity)}

    inputs = shared | {"Middle": "Float", "Share": "Float"}
    return field_group("Marigold Neighbour", inputs, {"Weight": "Float", "Weighted": "Float"}, fill)
