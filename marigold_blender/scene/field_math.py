# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields as geometry nodes: images, attributes, gathering by index, running totals. Called by the builders of the live
group.

Indices are numbers with a fraction of 0: Integer Math exists from Blender 4.3 on only, and 24 bits are enough here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import bpy

from .node_math import NodeMath, Value

Socket: TypeAlias = bpy.types.NodeSocket


class FieldMath(NodeMath):
    """`NodeMath` for a geometry node tree, with what fields have besides numbers."""

    def math(self, operation: str, *values: Value, label: str = "") -> Socket:
        return self.through(self.node("ShaderNodeMath", operation=operation), *values, label=label)

    def floor(self, a: Value) -> Socket:
        return self.math("FLOOR", a)

    def ceil(self, a: Value) -> Socket:
        return self.math("CEIL", a)

    def less(self, a: Value, b: Value) -> Socket:
        """1 where a < b, else 0."""
        return self.math("LESS_THAN", a, b)

    def greater(self, a: Value, b: Value) -> Socket:
        """1 where a > b, else 0."""
        return self.math("GREATER_THAN", a, b)

    def clamped(self, a: Value, low: Value, high: Value) -> Socket:
        return self.smallest(self.largest(a, low), high)

    def node(self, kind: str, label: str = "", **properties: str | bool) -> bpy.types.Node:
        """A new node with some of its properties set; its inputs are connected by `connect`."""
        node = self.tree.nodes.new(kind)
        node.label = label
        for name, value in properties.items():
            setattr(node, name, value)
        return node

    def connect(self, node: bpy.types.Node, **inputs: Value | str) -> Socket:
        """Connect inputs by name, spaces written as underscores; its first usable output."""
        self._connect(node, [(_usable(node.inputs, name.replace("_", " ")), value) for name, value in inputs.items()])
        return next(socket for socket in node.outputs if socket.enabled)

    def call(self, part: bpy.types.NodeTree, **inputs: Value) -> list[Socket]:
        """The outputs of another node group, its inputs connected by name."""
        node = self.node("GeometryNodeGroup", part.name)
        node.node_tree = part
        self.connect(node, **inputs)
        return list(node.outputs)

    def attribute(self, name: str, kind: str = "FLOAT") -> Socket:
        """A named attribute of the geometry that the field is evaluated on."""
        return self.connect(self.node("GeometryNodeInputNamedAttribute", name, data_type=kind), Name=name)

    def store(self, geometry: Socket, name: str, value: Value, kind: str = "FLOAT") -> Socket:
        """The geometry with a value stored at its points."""
        node = self.node("GeometryNodeStoreNamedAttribute", name, data_type=kind, domain="POINT")
        return self.connect(node, Geometry=geometry, Name=name, Value=value)

    def at(self, value: Socket, index: Value) -> Socket:
        """The value that the point `index` of the same geometry has."""
        node = self.node("GeometryNodeFieldAtIndex", data_type="FLOAT", domain="POINT")
        return self.connect(node, Index=index, Value=value)

    def sample(self, geometry: Socket, value: Socket, index: Value, kind: str = "FLOAT") -> Socket:
        """The value that the point `index` of another geometry has; 0 where there is no such point."""
        node = self.node("GeometryNodeSampleIndex", data_type=kind, domain="POINT", clamp=False)
        return self.connect(node, Geometry=geometry, Value=value, Index=index)

    def running_total(self, value: Socket, group: Socket) -> Socket:
        """At every point, the sum of the values so far in its group, itself included; whole numbers."""
        node = self.node("GeometryNodeAccumulateField", data_type="INT", domain="POINT")
        return self.connect(node, Value=value, Group_ID=group)

    def switch(self, kind: str, condition: Socket, off: Value, on: Value, label: str = "") -> Socket:
        """One of two; where the condition is one for all, the other is not computed."""
        node = self.node("GeometryNodeSwitch", label, input_type=kind)
        return self.connect(node, Switch=condition, False_=off, True_=on)

    def combine(self, x: Value, y: Value, z: Value, label: str = "") -> Socket:
        return self.through(self.node("ShaderNodeCombineXYZ"), x, y, z, label=label)

    def separate(self, vector: Socket) -> tuple[Socket, Socket]:
        """X and Y of a vector."""
        node = self.node("ShaderNodeSeparateXYZ")
        self.through(node, vector)
        return node.outputs[0], node.outputs[1]

    def lattice_points(self, columns: Value, rows: Value) -> tuple[Socket, Socket, Socket]:
        """As many points as a lattice has; the fields of a point's column and row, counted from the top."""
        points = self.connect(self.node("GeometryNodePoints"), Count=self.multiply(columns, rows))
        index = self.node("GeometryNodeInputIndex").outputs[0]
        row = self.floor(self.divide(self.add(index, 0.5), columns))
        return points, self.subtract(index, self.multiply(row, columns)), row

    def red_at(self, image: Socket, u: Value, v: Value) -> Socket:
        """The first channel of an image, between pixel centres linear, beyond the outermost constant."""
        texture = self.node("GeometryNodeImageTexture", interpolation="Linear", extension="EXTEND")
        colour = self.connect(texture, Image=image, Vector=self.combine(u, v, 0.0))
        return self.through(self.node("FunctionNodeSeparateColor"), colour)


Fill = Callable[[FieldMath, dict[str, Socket]], dict[str, Socket]]


def field_group(name: str, inputs: dict[str, str], outputs: dict[str, str], fill: Fill) -> bpy.types.NodeTree:
    """A new geometry node group.

    What is needed more than once, and whatever makes a tree large, stands in a group of its own: every new link has
    Blender look through its whole tree.

    Args:
        inputs, outputs: type of each socket (without `NodeSocket`) by its name.
        fill: adds the nodes; gives the sockets that go to the outputs.
    """
    tree = bpy.data.node_groups.new(name, "GeometryNodeTree")
    for sockets, direction in ((inputs, "INPUT"), (outputs, "OUTPUT")):
        for socket, kind in sockets.items():
            tree.interface.new_socket(socket, in_out=direction, socket_type=f"NodeSocket{kind}")
    fill_group(tree, fill)
    return tree


def fill_group(tree: bpy.types.NodeTree, fill: Fill) -> None:
    """Adds the nodes of a group that has its sockets."""
    given, result = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
    made = fill(FieldMath(tree), {socket.name: socket for socket in given.outputs if socket.name})
    for name, socket in made.items():
        tree.links.new(socket, result.inputs[name])
    result.location = (max(node.location.x for node in tree.nodes) + 250, 0)


def _usable(sockets: bpy.types.bpy_prop_collection, name: str) -> Socket:
    """The input `name` in the variant that the node's data type has made usable."""
    name = name.strip()
    return next(socket for socket in sockets if socket.name == name and socket.enabled)
