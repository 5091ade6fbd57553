# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the live group that cuts: the rule of `geometry.discontinuities` as nodes. Called by `live_group`.

As in numpy, the jumps are found on a lattice of the pixels that the network saw, whatever the density of the grid; the
area that they cover is summed up in half pixels (a summed-area table of two running totals); and a cell of the grid
goes when that area within it is not empty.
"""

from __future__ import annotations

from typing import TypeAlias

import bpy

from ..geometry.discontinuities import REACH
from . import live_sockets as names
from .field_math import FieldMath, field_group
from .following import PICTURE_ATTRIBUTE

Socket: TypeAlias = bpy.types.NodeSocket
BEYOND = 1e9  # steeper than any disparity: where there is no pixel before a link, the other side decides
DISPARITY, SLOPE, ACROSS, DOWN, TURN, SUM = "disparity", "slope", "across", "down", "turn", "sum"


def cut_group(disparity: bpy.types.NodeTree) -> bpy.types.NodeTree:
    """A group that gives the grid without the cells that a jump touches.

    Args:
        disparity: the group of `live_sampling` that gives the disparity at a place (u, v) of the picture.
    """
    along = _jumps_along_group()
    inputs = {
        "Geometry": "Geometry",
        names.DEPTH: "Image",
        names.MASK: "Image",
        names.CURVE: "Float",
        names.RATIO: "Float",
        names.EDGE_THRESHOLD: "Float",
        names.GRID_COLUMNS: "Int",
        names.GRID_ROWS: "Int",
        names.PROCESSING_COLUMNS: "Int",
        names.PROCESSING_ROWS: "Int",
    }

    def fill(nodes: FieldMath, given: dict[str, Socket]) -> dict[str, Socket]:
        totals = _summed(nodes, given, _jumps(nodes, given, disparity, along))
        touched = nodes.greater(_count_in_cell(nodes, given, totals), 0.5)
        delete = nodes.node("GeometryNodeDeleteGeometry", "Cells touched by a jump", domain="FACE", mode="ALL")
        return {"Geometry": nodes.connect(delete, Geometry=given["Geometry"], Selection=touched)}

    return field_group("Marigold Cut at Jumps", inputs, {"Geometry": "Geometry"}, fill)


def _jumps(
    nodes: FieldMath, inputs: dict[str, Socket], disparity: bpy.types.NodeTree, along: bpy.types.NodeTree
) -> Socket:
    """Points for the pixels that the network saw; at each 1 or 0 for a jump to its right, below it, and in the square
    between it and the three pixels right of and below it."""
    columns, rows = inputs[names.PROCESSING_COLUMNS], inputs[names.PROCESSING_ROWS]
    points, column, row = nodes.lattice_points(columns, rows)
    u = nodes.divide(nodes.add(column, 0.5), columns)
    v = nodes.subtract(1.0, nodes.divide(nodes.add(row, 0.5), rows))
    shared = {name: inputs[name] for name in (names.DEPTH, names.MASK, names.CURVE, names.RATIO)}
    points = nodes.store(points, DISPARITY, nodes.call(disparity, **shared, U=u, V=v)[0])
    index = nodes.node("GeometryNodeInputIndex").outputs[0]
    links_across, links_down = nodes.subtract(columns, 1.0), nodes.subtract(rows, 1.0)
    has_right, has_below = nodes.less(column, links_across), nodes.less(row, links_down)

    def find(points: Socket, name: str, link: Socket, links: Socket, stride: Socket | float, exists: Socket) -> Socket:
        threshold = {names.EDGE_THRESHOLD: inputs[names.EDGE_THRESHOLD]}
        found = nodes.call(along, Points=points, Link=link, Links=links, Stride=stride, **threshold)
        return nodes.store(found[0], name, nodes.multiply(found[1], exists))

    points = find(points, ACROSS, column, links_across, 1.0, has_right)
    points = find(points, DOWN, row, links_down, columns, has_below)
    beside = nodes.largest(nodes.attribute(ACROSS), nodes.at(nodes.attribute(ACROSS), nodes.add(index, columns)))
    above = nodes.largest(nodes.attribute(DOWN), nodes.at(nodes.attribute(DOWN), nodes.add(index, 1.0)))
    turn = nodes.multiply(nodes.multiply(beside, above), nodes.multiply(has_right, has_below))
    return nodes.store(points, TURN, turn)


def _jumps_along_group() -> bpy.types.NodeTree:
    """A group that finds the jumps along rows or columns: 1 where a link is one.

    Its inputs: the points with their disparity; Link: number of a point's link in its line; Links: how many a line
    has; Stride: from a pixel to the next.
    """
    inputs = {"Points": "Geometry", "Link": "Float", "Links": "Float", "Stride": "Float", names.EDGE_THRESHOLD: "Float"}
    return field_group("Marigold Jumps Along", inputs, {"Points": "Geometry", "Jump": "Float"}, _fill_jumps_along)


def _fill_jumps_along(nodes: FieldMath, inputs: dict[str, Socket]) -> dict[str, Socket]:
    link, stride = inputs["Link"], inputs["Stride"]
    index = nodes.node("GeometryNodeInputIndex").outputs[0]
    disparity = nodes.attribute(DISPARITY)
    following = nodes.at(disparity, nodes.add(index, stride))
    points = nodes.store(inputs["Points"], SLOPE, nodes.subtract(following, disparity))
    slope = nodes.attribute(SLOPE)
    last = nodes.subtract(inputs["Links"], 1.0)

    def least_and_most(sign: float, has_none: Socket) -> tuple[Socket, Socket]:
        """The least and the greatest slope within reach on one side."""
        reached = []
        for step in range(1, REACH + 1):
            other = nodes.clamped(nodes.add(link, sign * step), 0.0, last)
            away = nodes.multiply(nodes.subtract(other, link), stride)
            reached.append(nodes.at(slope, nodes.add(index, away)))
        least = most = reached[0]
        for there in reached[1:]:
            least, most = nodes.smallest(least, there), nodes.largest(most, there)
        beyond = nodes.multiply(has_none, BEYOND)
        return nodes.subtract(least, beyond), nodes.add(most, beyond)

    least_before, most_before = least_and_most(-1.0, nodes.less(link, 0.5))
    least_after, most_after = least_and_most(1.0, nodes.greater(link, nodes.subtract(last, 0.5)))
    rising = nodes.subtract(slope, nodes.largest(least_before, least_after))
    falling = nodes.subtract(nodes.smallest(most_before, most_after), slope)
    allowed = nodes.multiply(inputs[names.EDGE_THRESHOLD], nodes.largest(disparity, following))
    return {"Points": points, "Jump": nodes.greater(nodes.largest(rising, falling), allowed)}


def _summed(nodes: FieldMath, inputs: dict[str, Socket], jumps: Socket) -> Socket:
    """Points for the crossings between half pixels, each with the area of all jumps to its left and above it."""
    columns, rows = inputs[names.PROCESSING_COLUMNS], inputs[names.PROCESSING_ROWS]
    table_columns = nodes.add(nodes.multiply(columns, 2.0), 1.0)
    points, column, row = nodes.lattice_points(table_columns, nodes.add(nodes.multiply(rows, 2.0), 1.0))

    def pixel(crossing: Socket, half: float) -> Socket:
        return nodes.floor(nodes.multiply(nodes.subtract(crossing, half), 0.5))

    own_column, left = pixel(column, 1.0), pixel(column, 2.0)
    own_row, above = nodes.multiply(pixel(row, 1.0), columns), nodes.multiply(pixel(row, 2.0), columns)
    # Indices below 0 give 0, and so does the last pixel of the row above: it has none to its right.
    covered = nodes.sample(jumps, nodes.attribute(ACROSS), nodes.add(own_row, left))
    for name, index in ((DOWN, nodes.add(above, own_column)), (TURN, nodes.add(above, left))):
        covered = nodes.largest(covered, nodes.sample(jumps, nodes.attribute(name), index))
    covered = nodes.multiply(covered, nodes.greater(column, 0.5))
    total = nodes.running_total(nodes.running_total(covered, row), column)
    return nodes.store(points, SUM, total, "INT")


def _count_in_cell(nodes: FieldMath, inputs: dict[str, Socket], totals: Socket) -> Socket:
    """How many half pixels of the jumps' area a cell of the grid touches: a field on faces."""
    u, v = nodes.separate(nodes.attribute(PICTURE_ATTRIBUTE, "FLOAT_VECTOR"))  # on a face the middle of its corners

    def half_pixels(place: Socket, lines: str, pixels: str) -> tuple[Socket, Socket]:
        cells = nodes.subtract(inputs[lines], 1.0)
        cell = nodes.floor(nodes.multiply(place, cells))
        size = nodes.multiply(inputs[pixels], 2.0)
        first = nodes.floor(nodes.divide(nodes.multiply(cell, size), cells))
        end = nodes.ceil(nodes.divide(nodes.multiply(nodes.add(cell, 1.0), size), cells))
        return first, end

    left, right = half_pixels(u, names.GRID_COLUMNS, names.PROCESSING_COLUMNS)
    top, bottom = half_pixels(nodes.subtract(1.0, v), names.GRID_ROWS, names.PROCESSING_ROWS)
    stride = nodes.add(nodes.multiply(inputs[names.PROCESSING_COLUMNS], 2.0), 1.0)
    total = nodes.attribute(SUM, "INT")

    def until(row: Socket, column: Socket) -> Socket:
        return nodes.sample(totals, total, nodes.add(nodes.multiply(row, stride), column), "INT")

    lower = nodes.subtract(until(bottom, right), until(bottom, left))
    return nodes.subtract(lower, nodes.subtract(until(top, right), until(top, left)))
