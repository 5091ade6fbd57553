# SPDX-License-Identifier: GPL-3.0-or-later
"""The modifier of a live mesh: finds it, reads its inputs, and sets those that the depth image owns.

Called by `live_mesh`, which adds it, by `following` when the depth image changes, and by the panel.
"""

from __future__ import annotations

import bpy

from ..geometry.camera import Camera
from . import live_sockets as names
from .versions import get_modifier_input, set_modifier_input

MARK, FORM = "marigold_live", 1  # custom property of the group, and what it holds: raise it when the sockets change


def is_live_group(tree: bpy.types.NodeTree | None) -> bool:
    return tree is not None and tree.get(MARK) == FORM


def find_live_modifier(built: bpy.types.Object | None) -> bpy.types.Modifier | None:
    """The object's live modifier, or None."""
    if built is None or built.type != "MESH":
        return None
    return next((each for each in built.modifiers if each.type == "NODES" and is_live_group(each.node_group)), None)


def live_modifiers_on(mesh: bpy.types.Mesh) -> list[bpy.types.Modifier]:
    """The live modifiers of all objects that show `mesh`."""
    users = [each for each in bpy.data.objects if each.data == mesh and each.library is None]
    return [modifier for each in users if (modifier := find_live_modifier(each))]


def follow_in_modifiers(mesh: bpy.types.Mesh, camera: Camera) -> bool:
    """Gives every live modifier on `mesh` the range and the camera of its depth image; False where there is none."""
    modifiers = live_modifiers_on(mesh)
    for modifier in modifiers:
        set_range_and_camera(modifier, mesh.marigold.depth, camera)
    return bool(modifiers)


def set_range_and_camera(modifier: bpy.types.Modifier, image: bpy.types.Image, camera: Camera) -> None:
    """Sets the inputs that the depth image owns."""
    values = {
        names.NEAR: image.marigold.near,
        names.FAR: image.marigold.far,
        names.FOCAL_LENGTH: camera.focal_px,
        names.PRINCIPAL_X: camera.cx,
        names.PRINCIPAL_Y: camera.cy,
        names.PIXEL_ASPECT: camera.pixel_aspect,
    }
    for name, value in values.items():
        set_modifier_input(modifier, name, value)


def hand_back(modifier: bpy.types.Modifier, image: bpy.types.Image) -> None:
    """Gives the depth image the range and the camera that its modifier has, where they were changed there."""
    owned = {
        "near": names.NEAR,
        "far": names.FAR,
        "focal_px": names.FOCAL_LENGTH,
        "cx": names.PRINCIPAL_X,
        "cy": names.PRINCIPAL_Y,
        "pixel_aspect": names.PIXEL_ASPECT,
    }
    given = {owner: get_modifier_input(modifier, name) for owner, name in owned.items()}
    changed = {owner: value for owner, value in given.items() if getattr(image.marigold, owner) != value}
    if changed:
        image.marigold.move(**changed)
