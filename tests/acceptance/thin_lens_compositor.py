"""Blurs part 4's rendered scenes in Blender's compositor: by its plain Defocus, and by the pass's node group.

`python -m tests.acceptance.thin_lens_compositor SCENE.npz TARGET.npz LARGEST` in an environment with bpy; LARGEST is
the largest blur radius as a share of the width. TARGET holds `plain` and `nodes` [H, W, 3] scene-linear, and the
seconds that each took.
"""

import json
import sys
import time
from pathlib import Path

import bpy
import numpy as np

from marigold_blender.scene.compositor import create_compositing, output_socket
from marigold_blender.scene.depth_of_field_group import Aperture, build_group, set_aperture
from tests.blender.composited import composite


def main() -> None:
    given = np.load(sys.argv[1])
    about = json.loads(Path(sys.argv[1]).with_suffix(".json").read_text())
    results = {}
    for name, method in (("plain", plain_defocus), ("nodes", node_group)):
        scene, picture, depth = prepare(given["sharp"], given["depth"], about)
        method(scene, picture, depth, about, float(sys.argv[3]) * scene.render.resolution_x)
        started = time.perf_counter()
        results[name] = composite(scene)[..., :3]
        results[f"{name}_seconds"] = time.perf_counter() - started
    np.savez(sys.argv[2], **results)


def prepare(sharp: np.ndarray, depth: np.ndarray, about: dict) -> tuple[bpy.types.Scene, object, object]:
    """A scene as large as the picture, with the camera that saw it; picture and depth as sockets."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    height, width = depth.shape
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = width, height, 100
    camera = bpy.data.cameras.new("camera")
    scene.camera = bpy.data.objects.new("camera", camera)
    scene.collection.objects.link(scene.camera)
    camera.sensor_fit, camera.sensor_width, camera.lens = "HORIZONTAL", about["sensor_mm"], about["lens_mm"]
    camera.dof.focus_distance = about["focus_m"]
    tree = create_compositing(scene)
    sockets = []
    for name, values in (("picture", sharp), ("depth", np.where(np.isfinite(depth), depth, 1e10))):
        pixels = np.ones((height, width, 4), np.float32)
        pixels[..., :3] = values if values.ndim == 3 else values[..., None]
        image = bpy.data.images.new(name, width, height, float_buffer=True, is_data=True)
        image.colorspace_settings.name = "Non-Color"
        image.pixels.foreach_set(np.ascontiguousarray(pixels[::-1]).ravel())
        node = tree.nodes.new("CompositorNodeImage")
        node.image = image
        sockets.append(node.outputs[0])
    return scene, *sockets


def plain_defocus(scene: bpy.types.Scene, picture: object, depth: object, about: dict, largest: float) -> None:
    tree = output_socket(_tree(picture)).id_data
    node = tree.nodes.new("CompositorNodeDefocus")
    node.use_zbuffer, node.f_stop, node.scene = True, about["fstop"], scene
    node.blur_max = largest
    if hasattr(node, "use_preview"):
        node.use_preview = False
    tree.links.new(picture, node.inputs["Image"])
    tree.links.new(depth, node.inputs["Z"])
    tree.links.new(node.outputs[0], output_socket(tree))


def node_group(scene: bpy.types.Scene, picture: object, depth: object, about: dict, largest: float) -> None:
    tree = _tree(picture)
    node = tree.nodes.new("CompositorNodeGroup")
    node.node_tree = build_group()
    width = scene.render.resolution_x
    set_aperture(node.node_tree, Aperture(max_blur_px=largest))
    for name, value in (
        ("Metric", 1.0),
        ("Depth Is Distance", 1.0),
        ("Focus Distance", about["focus_m"]),
        ("F-Stop", about["fstop"]),
        ("Focal Length", about["lens_mm"]),
        ("Sensor Width", about["sensor_mm"]),
        ("Width", width),
    ):
        node.inputs[name].default_value = value
    tree.links.new(picture, node.inputs["Image"])
    tree.links.new(depth, node.inputs["Depth"])
    tree.links.new(node.outputs["Image"], output_socket(tree))


def _tree(socket: object) -> bpy.types.NodeTree:
    return socket.node.id_data


if __name__ == "__main__":
    main()
