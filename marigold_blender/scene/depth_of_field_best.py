# SPDX-License-Identifier: GPL-3.0-or-later
"""The *Best* method in Blender: hands the sharp picture and its depth to the worker, and shows what comes back.

The settings stay where they are, in the pass's node; its picture is then replaced by an Image node with the result.
Called by the operators.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..errors import MarigoldError
from ..fog_settings import FogSettings
from ..lens_settings import LensSettings
from . import depth_of_field_sockets as names
from .compositor import animation_of
from .depth_image import read_pixels, record_of
from .depth_of_field_group import aperture_of
from .depth_of_field_nodes import MARK, depth_of_pass, marked, pass_of
from .depth_sequence import file_pattern, frames_of, load_clip_files, play
from .focus_drivers import is_focus_driven
from .images import load_image
from .sources import write_image_pixels

BEST = "best"  # mark of the node that shows the result
DEPTH_OF_RESULT = "marigold_depth"  # custom property of a result: the depth image it was focused by
LINEAR = "Linear Rec.709"


def lens_settings(node: bpy.types.Node) -> LensSettings:
    """What the pass's inputs ask for at the current frame, in the worker's words."""
    value = {socket.name: socket.default_value for socket in node.inputs if socket.type == "VALUE"}
    aperture = aperture_of(node.node_tree)
    metric, is_distance = value[names.METRIC] >= 0.5, value[names.DEPTH_IS_DISTANCE] >= 0.5
    return LensSettings(
        focus=min(max(value[names.FOCUS], 0.0), 1.0),
        blur_percent=value[names.BLUR_AT_FAR],
        focus_m=value[names.FOCUS_DISTANCE] if metric else 0.0,
        f_stop=value[names.F_STOP],
        focal_px=value[names.FOCAL_LENGTH] / value[names.SENSOR_WIDTH] * value[names.WIDTH],
        sensor_mm=value[names.SENSOR_WIDTH],
        near=0.0 if is_distance else value[names.NEAR],
        far=0.0 if is_distance else value[names.FAR],
        blades=aperture.blades,
        rotation_deg=float(np.degrees(aperture.rotation)),
        max_blur_px=aperture.max_blur_px,
    )


def fog_settings(scene: bpy.types.Scene, node: bpy.types.Node) -> FogSettings:
    """The fog of the pass's inputs. It lies level where the pass knows how the camera is tilted."""
    colour = node.inputs[names.FOG_COLOUR].default_value
    up = (0.0, 1.0, 0.0)
    if node.inputs[names.RAY].is_linked and scene.camera is not None:
        x, y, z = scene.camera.matrix_world.to_3x3().normalized()[2]  # what the camera's axes add to the world's Z
        up = (x, y, z)
    return FogSettings(
        density=node.inputs[names.FOG_DENSITY].default_value,
        start=node.inputs[names.FOG_START].default_value,
        height=node.inputs[names.FOG_HEIGHT].default_value if node.inputs[names.RAY].is_linked else 0.0,
        colour=(colour[0], colour[1], colour[2]),
        up=up,
    )


def write_sharp_picture(scene: bpy.types.Scene, folder: Path) -> dict[str, Any]:
    """Write the photo of the pass's depth, and the depth, for the worker: fields of its request.

    The photo's own file is named where it is still there: it may hold more than the 8 bits that Blender shows.

    Raises:
        MarigoldError: there is no pass, or it has no photo (`bad_input`).
    """
    node = pass_of(scene)
    depth = depth_of_pass(scene)
    if depth is None:
        raise MarigoldError("bad_input", "A render is focused when it is saved: render the scene, with an output path.")
    photo = depth.marigold.photo
    if photo is None:
        raise MarigoldError("bad_input", f"“{depth.name}” has lost its photo: estimate the depth of the photo again.")
    record = record_of(depth)
    np.save(folder / "depth.npy", read_pixels(depth).depth)
    (folder / "depth.json").write_text(depth.marigold.record, encoding="utf-8")
    original = Path(record.source)
    source = original if original.is_file() else write_image_pixels(photo, folder)
    return {
        "photo": str(source),
        "depth": str(folder / "depth.npy"),
        "lens": lens_settings(node).to_json(),
        "fog": fog_settings(scene, node).to_json(),
    }


def clip_request(scene: bpy.types.Scene) -> dict[str, Any]:
    """The clip of the pass, its depth, and the focus of every frame: fields of the worker's request for a clip.

    Raises:
        MarigoldError: there is no pass, or its clip is gone (`bad_input`).
    """
    node = pass_of(scene)
    depth = depth_of_pass(scene)
    frames = frames_of(depth) if depth is not None else None
    if depth is None or frames is None or depth.marigold.photo is None:
        raise MarigoldError("bad_input", "This pass has no clip: estimate the depth of a movie or an image sequence.")
    lens = lens_settings(node)
    focus = node.inputs[names.FOCUS_DISTANCE if lens.focus_m else names.FOCUS]
    return {
        "clip": str(file_pattern(depth.marigold.photo)),
        "depth": str(Path(bpy.path.abspath(depth.filepath)).parent),
        "lens": lens.to_json(),
        "fog": fog_settings(scene, node).to_json(),
        "keys": [[frame, value_at(scene, focus, frame)] for frame in range(frames[0], frames[1] + 1)],
    }


def value_at(scene: bpy.types.Scene, socket: bpy.types.NodeSocket, frame: int) -> float:
    """What an input is at a frame, by its keyframes or its driver."""
    curve = animation_of(socket)
    if curve is not None:
        return float(curve.evaluate(frame))
    if is_focus_driven(socket.node):
        now = scene.frame_current
        scene.frame_set(frame)
        value = float(socket.default_value)
        scene.frame_set(now)
        return value
    return float(socket.default_value)


def is_clip_pass(scene: bpy.types.Scene) -> bool:
    """Whether the pass's depth is that of a clip."""
    depth = depth_of_pass(scene)
    return depth is not None and frames_of(depth) is not None


def show_result(scene: bpy.types.Scene, path: Path, *, keep_file: bool) -> bpy.types.Image:
    """Bring a finished picture or clip in, in the place of the one before, and show it as the scene's compositing.

    Args:
        path: the picture; of a clip, the name of its frames with # for the number.
        keep_file: the user's own file: it is linked, not packed. Clips always are.

    Raises:
        MarigoldError: Blender cannot read it (`bad_input`).
    """
    node = pass_of(scene)
    depth = depth_of_pass(scene)
    tree = node.id_data
    shown = marked(scene, BEST)
    before = shown.image if shown is not None else None
    title = depth.marigold.photo.name if depth is not None and depth.marigold.photo else "Render"
    if "#" in path.name:
        image = load_clip_files(path, f"{title} focused")
    else:
        image = _load(path, f"{title} focused", keep_file=keep_file)
    if depth is not None:
        image[DEPTH_OF_RESULT] = depth
    if shown is None:
        shown = tree.nodes.new("CompositorNodeImage")
        shown[MARK] = BEST
        shown.label = "Best Depth of Field"
        shown.location = (node.location.x, node.location.y + 300)
    shown.image = image
    play(shown)
    for link in [link for link in tree.links if link.from_socket == node.outputs[names.IMAGE]]:
        tree.links.new(shown.outputs["Image"], link.to_socket)
    if before is not None:
        _replace(before, image)
    return image


def show_nodes(scene: bpy.types.Scene) -> None:
    """Show the pass's own blur again; the result stays in the file.

    Raises:
        MarigoldError: the scene has no pass (`bad_input`).
    """
    node = pass_of(scene)
    shown = marked(scene, BEST)
    if shown is None:
        return
    tree = node.id_data
    for link in [link for link in tree.links if link.from_node == shown]:
        tree.links.new(node.outputs[names.IMAGE], link.to_socket)
    tree.nodes.remove(shown)


def is_best(scene: bpy.types.Scene) -> bool:
    """Whether the scene's compositing shows the worker's result."""
    return marked(scene, BEST) is not None


def depth_behind(image: bpy.types.Image) -> bpy.types.Image | None:
    """The depth image of a depth image, a photo or a result; None if there is none in this file."""
    if image.marigold.record:
        return image
    if image.get(DEPTH_OF_RESULT) is not None:
        return image[DEPTH_OF_RESULT]
    return next((depth for depth in bpy.data.images if depth.marigold.record and depth.marigold.photo == image), None)


def _load(path: Path, name: str, *, keep_file: bool) -> bpy.types.Image:
    if not keep_file:
        image = load_image(path, name, colourspace=LINEAR)
    else:
        try:
            image = bpy.data.images.load(str(path), check_existing=False)
        except RuntimeError as problem:
            raise MarigoldError("bad_input", f"“{path}” cannot be opened: is it there and readable?") from problem
        image.name = name
        image.colorspace_settings.name = LINEAR if path.suffix.lower() == ".exr" else "sRGB"
    # The worker writes EXR with colours multiplied with alpha, other formats without.
    image.alpha_mode = "PREMUL" if path.suffix.lower() == ".exr" else "STRAIGHT"
    return image


def _replace(before: bpy.types.Image, image: bpy.types.Image) -> None:
    """Have everything that shows the result before show the new one, under its name."""
    name = before.name
    before.user_remap(image)
    if before.users == 0:
        bpy.data.images.remove(before)
        image.name = name
