# SPDX-License-Identifier: GPL-3.0-or-later
"""Drivers that keep the depth-of-field pass focused on an object, or as the camera is. Called by the operators.

They are plain expressions, which Blender evaluates without Python: they work in files whose scripts are not trusted, on
farms, and without this extension. The distance is planar, as Blender's own camera counts it.
"""

from __future__ import annotations

import bpy

from ..errors import MarigoldError
from . import depth_of_field_sockets as names
from .depth_of_field_nodes import depth_of_pass, pass_of

# The camera's line of sight is the third axis of its rotation, from XYZ Euler angles (a, b, c); o is the object, e the
# camera's place.
ALONG_SIGHT = (
    "abs((ox-ex)*(cos(a)*sin(b)*cos(c)+sin(a)*sin(c))"
    "+(oy-ey)*(cos(a)*sin(b)*sin(c)-sin(a)*cos(c))+(oz-ez)*cos(a)*cos(b))"
)


def focus_on_object(scene: bpy.types.Scene, target: bpy.types.Object) -> None:
    """Keep the pass focused on an object, seen from the scene's camera.

    Raises:
        MarigoldError: there is no pass or no camera, or the target is the camera itself (`bad_input`).
    """
    camera = _camera_of(scene)
    if target == camera:
        raise MarigoldError("bad_input", "The camera cannot be focused on itself: choose another object.")
    variables = [("o", target, "LOC"), ("e", camera, "LOC")]

    def fill(driver: bpy.types.Driver) -> None:
        for start, source, _ in variables:
            for axis in "XYZ":
                _transform(driver, f"{start}{axis.lower()}", source, f"LOC_{axis}")
        for name, axis in zip("abc", "XYZ", strict=True):
            _transform(driver, name, camera, f"ROT_{axis}")

    _drive(scene, ALONG_SIGHT, fill)


def focus_as_camera(scene: bpy.types.Scene) -> None:
    """Keep the pass focused as the scene's camera is: on its focus object, else at its focus distance.

    Raises:
        MarigoldError: there is no pass or no camera (`bad_input`).
    """
    camera = _camera_of(scene)
    target = camera.data.dof.focus_object
    if target is not None:
        focus_on_object(scene, target)
        return

    def fill(driver: bpy.types.Driver) -> None:
        variable = driver.variables.new()
        variable.name, variable.type = "distance", "SINGLE_PROP"
        variable.targets[0].id_type, variable.targets[0].id = "CAMERA", camera.data
        variable.targets[0].data_path = "dof.focus_distance"

    _drive(scene, "distance", fill)


def remove_focus_driver(scene: bpy.types.Scene) -> None:
    """Leave the focus where it is."""
    node = pass_of(scene)
    for name in (names.FOCUS, names.FOCUS_DISTANCE):
        node.inputs[name].driver_remove("default_value")


def is_focus_driven(node: bpy.types.Node) -> bool:
    """Whether a driver holds the focus."""
    return _curve(node, names.FOCUS_DISTANCE) is not None


def _drive(scene: bpy.types.Scene, expression: str, fill: object) -> None:
    """Drive the focus distance by an expression, and the relative focus by the same within near and far."""
    node = pass_of(scene)
    expressions = {names.FOCUS_DISTANCE: expression}
    if depth_of_pass(scene) is not None:
        expressions[names.FOCUS] = _relative(node, expression)
    for name, formula in expressions.items():
        socket = node.inputs[name]
        socket.driver_remove("default_value")
        driver = socket.driver_add("default_value").driver
        driver.type = "SCRIPTED"
        fill(driver)  # type: ignore[operator]
        driver.expression = formula


def follow_range(node: bpy.types.Node) -> None:
    """Near or far of the pass has changed: what is driven by a distance lies elsewhere between them now."""
    distance, relative = (_curve(node, name) for name in (names.FOCUS_DISTANCE, names.FOCUS))
    if distance is not None and relative is not None:
        relative.driver.expression = _relative(node, distance.driver.expression)


def _relative(node: bpy.types.Node, distance: str) -> str:
    near, far = node.inputs[names.NEAR].default_value, node.inputs[names.FAR].default_value
    return f"min(max(({distance}-{near:.9g})/{far - near:.9g},0),1)"


def _curve(node: bpy.types.Node, name: str) -> bpy.types.FCurve | None:
    animation = node.id_data.animation_data
    if animation is None:
        return None
    path = node.inputs[name].path_from_id("default_value")
    return next((curve for curve in animation.drivers if curve.data_path == path), None)


def _transform(driver: bpy.types.Driver, name: str, source: bpy.types.Object, channel: str) -> None:
    variable = driver.variables.new()
    variable.name, variable.type = name, "TRANSFORMS"
    place = variable.targets[0]
    place.id, place.transform_type, place.transform_space, place.rotation_mode = source, channel, "WORLD_SPACE", "XYZ"


def _camera_of(scene: bpy.types.Scene) -> bpy.types.Object:
    pass_of(scene)
    if scene.camera is None:
        raise MarigoldError("bad_input", f"“{scene.name}” has no camera, which distances are measured from: add one.")
    return scene.camera
