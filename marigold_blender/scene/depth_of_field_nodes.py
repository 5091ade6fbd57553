# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of the depth-of-field pass in a scene's compositing: finds them, and keeps what the scene was before.

Called by `depth_of_field` and what else reads or extends the pass.
"""

from __future__ import annotations

import json
from typing import Any

import bpy

from ..errors import MarigoldError
from .compositor import compositing_tree

MARK = "marigold_depth_of_field"  # custom property of the pass's nodes: "pass", "depth", "picture", "ray", …
BEFORE = "marigold_before"  # custom property of the pass: JSON of what to restore


def find_pass(scene: bpy.types.Scene) -> bpy.types.Node | None:
    """The scene's pass: the node of its group, whose inputs are the settings; or None."""
    return marked(scene, "pass")


def pass_of(scene: bpy.types.Scene) -> bpy.types.Node:
    """The scene's pass.

    Raises:
        MarigoldError: it has none (`bad_input`).
    """
    node = find_pass(scene)
    if node is None:
        raise MarigoldError("bad_input", f"“{scene.name}” has no depth of field: add it first.")
    return node


def depth_of_pass(scene: bpy.types.Scene) -> bpy.types.Image | None:
    """The depth image that the scene's pass uses; None for a Z pass, or without a pass."""
    node = marked(scene, "depth")
    return node.image if node is not None else None


def marked(scene: bpy.types.Scene, part: str) -> bpy.types.Node | None:
    """The node of the pass that is marked as `part`, or None."""
    tree = compositing_tree(scene)
    if tree is None:
        return None
    return next((node for node in tree.nodes if node.get(MARK) == part), None)


def remember(scene: bpy.types.Scene, node: bpy.types.Node, path: str, value: Any) -> None:
    """Change a setting of the scene, and note what it was for `restore`."""
    before = json.loads(node[BEFORE])
    holder, name = _holder(scene, path)
    before["values"].setdefault(path, getattr(holder, name))
    node[BEFORE] = json.dumps(before)
    setattr(holder, name, value)


def restore(scene: bpy.types.Scene, values: dict[str, Any]) -> None:
    """Give settings that `remember` noted back."""
    for path, value in values.items():
        holder, name = _holder(scene, path)
        setattr(holder, name, value)


def _holder(scene: bpy.types.Scene, path: str) -> tuple[Any, str]:
    owner, _, name = path.rpartition(".")
    return (scene.path_resolve(owner) if owner else scene), name


def set_value(node: bpy.types.Node, name: str, value: float) -> None:
    """Set an input of the pass; a driver that it has gives way."""
    socket = node.inputs[name]
    socket.driver_remove("default_value")
    socket.default_value = value


def remove_animation(node: bpy.types.Node) -> None:
    """Drivers of a node's inputs, which Blender leaves behind when the node goes."""
    animation = node.id_data.animation_data
    if animation is None:
        return
    start = f'nodes["{bpy.utils.escape_identifier(node.name)}"]'
    for curve in [curve for curve in animation.drivers if curve.data_path.startswith(start)]:
        animation.drivers.remove(curve)
