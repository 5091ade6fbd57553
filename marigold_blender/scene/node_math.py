# SPDX-License-Identifier: GPL-3.0-or-later
"""Formulas as compositor nodes: each call adds a node and gives its output. Called by the builders of node groups."""

from __future__ import annotations

from typing import TypeAlias

import bpy

from .compositor import new_math, new_mix

Value: TypeAlias = "bpy.types.NodeSocket | float"
COLUMN, ROW = 200, 180  # of the layout, so that a group that is opened can be read


class NodeMath:
    """Adds nodes to one tree, each to the right of what it depends on."""

    def __init__(self, tree: bpy.types.NodeTree) -> None:
        self.tree = tree
        self._column: dict[str, int] = {}  # by the node's name
        self._rows: dict[int, int] = {}

    def math(self, operation: str, *values: Value, label: str = "") -> bpy.types.NodeSocket:
        """A mathematical node of Blender's `operation` on one or two values."""
        node = new_math(self.tree, operation)
        node.label = label
        self._connect(node, list(zip(node.inputs, values, strict=False)))
        return node.outputs[0]

    def add(self, a: Value, b: Value, label: str = "") -> bpy.types.NodeSocket:
        return self.math("ADD", a, b, label=label)

    def subtract(self, a: Value, b: Value, label: str = "") -> bpy.types.NodeSocket:
        return self.math("SUBTRACT", a, b, label=label)

    def multiply(self, a: Value, b: Value, label: str = "") -> bpy.types.NodeSocket:
        return self.math("MULTIPLY", a, b, label=label)

    def divide(self, a: Value, b: Value, label: str = "") -> bpy.types.NodeSocket:
        return self.math("DIVIDE", a, b, label=label)

    def largest(self, a: Value, b: Value, label: str = "") -> bpy.types.NodeSocket:
        return self.math("MAXIMUM", a, b, label=label)

    def smallest(self, a: Value, b: Value, label: str = "") -> bpy.types.NodeSocket:
        return self.math("MINIMUM", a, b, label=label)

    def exponential(self, a: Value, label: str = "") -> bpy.types.NodeSocket:
        return self.math("EXPONENT", a, label=label)

    def limited(self, a: Value, label: str = "") -> bpy.types.NodeSocket:
        """`a` within 0 and 1."""
        return self.smallest(self.largest(a, 0.0), 1.0, label)

    def choose(self, switch: Value, off: Value, on: Value, label: str = "") -> bpy.types.NodeSocket:
        """`off` where the switch is 0 and `on` where it is 1."""
        keep = self.multiply(off, self.subtract(1.0, switch))
        return self.add(keep, self.multiply(on, switch), label)

    def mix(self, factor: Value, first: Value | tuple, second: Value | tuple, label: str = "") -> bpy.types.NodeSocket:
        """The first colour where the factor is 0, the second where it is 1."""
        inputs, result = new_mix(self.tree)
        result.node.label = label
        self._connect(result.node, list(zip(inputs, (factor, first, second), strict=True)))
        return result

    def through(self, node: bpy.types.Node, *values: Value, label: str = "") -> bpy.types.NodeSocket:
        """A node made elsewhere, its first inputs connected."""
        node.label = label
        self._connect(node, list(zip(node.inputs, values, strict=False)))
        return node.outputs[0]

    def _connect(self, node: bpy.types.Node, pairs: list[tuple[bpy.types.NodeSocket, Value | tuple]]) -> None:
        column = 0
        for socket, value in pairs:
            if isinstance(value, bpy.types.NodeSocket):
                self.tree.links.new(value, socket)
                column = max(column, self._column.get(value.node.name, 0))
            else:
                socket.default_value = value
        column += 1
        row = self._rows[column] = self._rows.get(column, 0) + 1
        self._column[node.name] = column
        node.location = (column * COLUMN, -row * ROW)
