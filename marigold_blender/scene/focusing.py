# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the depth-of-field pass is focused: by a point of the picture, an object, the camera, or keyframes.

Called by the operators. Every way sets the same two inputs of the pass, Focus (0 near to 1 far) and Focus Distance, so
that it does not matter which of them counts; and the focus of the matched cameras, whose meshes stand on the depth.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from ..errors import MarigoldError
from . import depth_of_field_sockets as names
from .depth_image import read_pixels
from .depth_of_field_group import aperture_of
from .depth_of_field_nodes import depth_of_pass, pass_of, set_value

FOCUS_INPUTS = (names.FOCUS, names.FOCUS_DISTANCE)
AROUND_PX = 1  # the median of a few pixels: a single one may lie on an edge


@dataclass(frozen=True)
class Focus:
    """A place to focus on.

    Attributes:
        distance: planar, from the camera, in Blender's units.
        depth: 0 near .. 1 far; None for a render, which has no such scale.
    """

    distance: float
    depth: float | None

    @property
    def text(self) -> str:
        """For people: “2.35 m (depth 0.41)”."""
        distance = bpy.utils.units.to_string("METRIC", "LENGTH", self.distance, precision=3)
        return distance if self.depth is None else f"{distance} (depth {self.depth:.2f})"


class DepthProbe:
    """Reads the focus at points of a picture; holds the depth's pixels, for an eyedropper asks often.

    Args:
        scene: whose pass is to be focused.

    Raises:
        MarigoldError: there is no pass, or its depth cannot be read (`bad_input`).
    """

    def __init__(self, scene: bpy.types.Scene) -> None:
        pass_of(scene)
        self._scene = scene
        self.image = depth_of_pass(scene)
        self._depth = read_pixels(self.image).depth if self.image is not None else None

    def at(self, u: float, v: float) -> Focus | None:
        """The focus at a point of the picture, (0, 0) bottom left .. (1, 1) top right; None: nothing is there."""
        if not (0.0 <= u <= 1.0 and 0.0 <= v <= 1.0):
            return None
        if self.image is None or self._depth is None:
            distance = rendered_distance(self._scene, u, v)
            return None if distance is None else Focus(distance, None)
        height, width = self._depth.shape
        x, y = min(int(u * width), width - 1), min(int((1.0 - v) * height), height - 1)
        rows, columns = slice(max(0, y - AROUND_PX), y + AROUND_PX + 1), slice(max(0, x - AROUND_PX), x + AROUND_PX + 1)
        return focus_at_depth(self.image, float(np.median(self._depth[rows, columns])))


def focus_at_depth(image: bpy.types.Image, depth: float) -> Focus:
    properties = image.marigold
    return Focus(properties.near + depth * (properties.far - properties.near), depth)


def focus_at_distance(image: bpy.types.Image | None, distance: float) -> Focus:
    """The focus at a distance; beyond the depth's own range its nearest end."""
    if image is None:
        return Focus(distance, None)
    near, far = image.marigold.near, image.marigold.far
    return Focus(distance, min(max((distance - near) / (far - near), 0.0), 1.0))


def first_focus(scene: bpy.types.Scene) -> Focus:
    """What a new pass is focused on: the middle of the picture, or what the render's camera is focused on already."""
    image = depth_of_pass(scene)
    if image is not None:
        middle = DepthProbe(scene).at(0.5, 0.5)
        assert middle is not None
        return middle
    lens = scene.camera.data.dof
    if lens.use_dof and lens.focus_object is None:
        return Focus(lens.focus_distance, None)
    return Focus(rendered_distance(scene, 0.5, 0.5) or lens.focus_distance, None)


def rendered_distance(scene: bpy.types.Scene, u: float, v: float) -> float | None:
    """Planar distance of what the scene's camera sees at a point of its frame, or None: a ray is cast there."""
    camera = scene.camera
    if camera is None:
        raise MarigoldError("bad_input", f"“{scene.name}” has no camera to focus: add one.")
    corners = camera.data.view_frame(scene=scene)  # top right, bottom right, bottom left, top left
    right, up = corners[1] - corners[2], corners[3] - corners[2]
    place = corners[2] + right * u + up * v
    world = camera.matrix_world.normalized()
    if camera.data.type == "ORTHO":
        origin, direction = world @ place, world.to_3x3() @ _straight_ahead(place)
    else:
        origin, direction = world.translation, world.to_3x3() @ place
    graph = bpy.context.evaluated_depsgraph_get()
    hit, point, *_ = scene.ray_cast(graph, origin, direction.normalized(), distance=camera.data.clip_end * 10)
    return -(world.inverted() @ point).z if hit else None


def _straight_ahead(place: object) -> object:
    ahead = place.copy()  # type: ignore[attr-defined]
    ahead.x = ahead.y = 0.0
    ahead.z = -1.0
    return ahead


def set_focus(scene: bpy.types.Scene, focus: Focus, *, frame: int | None = None, cameras: bool = True) -> None:
    """Focus the pass; a driver on its focus gives way.

    Args:
        frame: also set keyframes there; frames before keep theirs.
        cameras: also focus the cameras that are matched to the same depth, and switch their depth of field on.

    Raises:
        MarigoldError: the scene has no pass (`bad_input`).
    """
    node = pass_of(scene)
    values = {names.FOCUS_DISTANCE: focus.distance}
    if focus.depth is not None:
        values[names.FOCUS] = focus.depth
    for name, value in values.items():
        set_value(node, name, value)
        if frame is not None:
            node.inputs[name].keyframe_insert("default_value", frame=frame)
    if cameras:
        for camera in matched_cameras(scene):
            focus_camera(node, camera, focus.distance)
            if frame is not None:
                camera.dof.keyframe_insert("focus_distance", frame=frame)


def matched_cameras(scene: bpy.types.Scene) -> list[bpy.types.Camera]:
    """The cameras that show the photo of the pass's depth on its mesh."""
    image = depth_of_pass(scene)
    if image is None:
        return []
    return [camera for camera in bpy.data.cameras if camera.library is None and camera.marigold.depth == image]


def focus_camera(node: bpy.types.Node, camera: bpy.types.Camera, distance: float) -> None:
    """Give a camera the focus and the aperture of the pass, for renders of the mesh."""
    if camera.type != "PERSP":
        return
    camera.dof.use_dof = True
    camera.dof.focus_object = None
    camera.dof.focus_distance = distance
    camera.dof.aperture_fstop = equivalent_f_stop(node)
    aperture = aperture_of(node.node_tree)
    camera.dof.aperture_blades, camera.dof.aperture_rotation = aperture.blades, aperture.rotation


def equivalent_f_stop(node: bpy.types.Node) -> float:
    """The f-stop whose blur the pass has, also where it is told in percent of the width."""
    value = {socket.name: socket.default_value for socket in node.inputs if socket.type == "VALUE"}
    if value[names.METRIC] >= 0.5:
        return value[names.F_STOP]
    radius = value[names.BLUR_AT_FAR] / 100 * value[names.WIDTH] / 2
    strength = radius / (1 / value[names.NEAR] - 1 / value[names.FAR])
    on_frame = value[names.WIDTH] / value[names.SENSOR_WIDTH]
    return value[names.FOCAL_LENGTH] ** 2 * on_frame / (2000.0 * max(strength, 1e-6))
