# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders the current scene with Cycles and reads picture, depth and normals back as arrays (Blender 4.2 to 5.2).

Depth rides in the picture's alpha channel, so that one EXR file brings both back exactly; normals come by a File Output
node. Blender has no other way to hand render passes to Python in background mode.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

SKY_DEPTH = 1e9  # Blender writes 1e10 where nothing is
SAMPLES_FOR_DENOISER = 4  # times more, where there is none


@dataclass(frozen=True)
class Passes:
    """One rendered view, rows top to bottom.

    Attributes:
        linear: [H, W, 3] scene-linear picture, Rec.709.
        depth: [H, W] planar depth in metres, inf where there is nothing.
        normals: [H, W, 3] unit normals in camera space (X right, Y up, Z towards the viewer), 0 where there is nothing.
    """

    linear: np.ndarray
    depth: np.ndarray
    normals: np.ndarray


def prepare_render(folder: Path, samples: int) -> None:
    """Set Cycles and the compositor up for `render_passes`; `folder` takes the files in between."""
    scene = bpy.context.scene
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    cycles.device = "CPU"
    cycles.samples = samples
    cycles.use_adaptive_sampling = False
    cycles.use_light_tree = False
    cycles.max_bounces = 2
    cycles.diffuse_bounces = 2
    cycles.glossy_bounces = 1
    cycles.use_fast_gi = True  # rooms lit through ambient occlusion: indirect light at a tenth of its price
    cycles.ao_bounces_render = 1
    cycles.sample_clamp_indirect = 3.0
    _denoise(cycles)
    render.use_persistent_data = True  # several views of one scene share its acceleration structure
    render.film_transparent = False
    render.compositor_device = "CPU"
    layer = scene.view_layers[0]
    layer.use_pass_z = True
    layer.use_pass_normal = True
    _connect(scene, folder)


def _denoise(cycles: Any) -> None:
    """Switch the denoiser on, or take more samples where Blender was built without it, as Linux distributions do."""
    cycles.use_denoising = True
    try:
        cycles.denoiser = "OPENIMAGEDENOISE"
    except TypeError:
        cycles.use_denoising = False
        cycles.samples *= SAMPLES_FOR_DENOISER
        return
    cycles.denoising_prefilter = "FAST"
    if hasattr(cycles, "denoising_quality"):  # from 4.3
        cycles.denoising_quality = "FAST"


def render_passes(folder: Path, seed: int) -> Passes:
    """Render the scene's camera; `folder` as given to `prepare_render`.

    A camera with depth of field is rendered twice: the depth pass of a blurred picture is torn at its edges.
    """
    scene = bpy.context.scene
    scene.cycles.seed = seed % 2**31
    focus = scene.camera.data.dof
    blurred = focus.use_dof
    passes = _render(folder)
    if blurred:
        samples = scene.cycles.samples
        focus.use_dof, scene.cycles.samples, scene.cycles.use_denoising = False, 1, False
        sharp = _render(folder)
        focus.use_dof, scene.cycles.samples, scene.cycles.use_denoising = True, samples, True
        passes = Passes(passes.linear, sharp.depth, sharp.normals)
    return passes


def _render(folder: Path) -> Passes:
    scene = bpy.context.scene
    scene.render.filepath = str(folder / "picture.exr")
    with _quiet():
        bpy.ops.render.render(write_still=True)
    picture = _read(folder / "picture.exr")
    normal_file = max(folder.glob("normal*.exr"), key=lambda path: path.stat().st_mtime)
    world = _read(normal_file)[..., :3]
    normal_file.unlink()
    depth = picture[..., 3].copy()
    depth[depth > SKY_DEPTH] = np.inf
    turn = np.array(scene.camera.matrix_world.to_3x3().normalized())  # camera to world
    normals = world @ turn  # rows times matrix: each row is turned by the inverse, world to camera
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-6)
    normals[~np.isfinite(depth)] = 0
    return Passes(picture[..., :3], depth, normals.astype(np.float32))


def _connect(scene: Any, folder: Path) -> None:
    """Picture with depth as alpha to the output file, normals to a second one."""
    if bpy.app.version >= (5, 0, 0):
        tree = bpy.data.node_groups.new("passes", "CompositorNodeTree")
        scene.compositing_node_group = tree
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        output = tree.nodes.new("NodeGroupOutput")
    else:
        scene.use_nodes = True
        tree = scene.node_tree
        tree.nodes.clear()
        output = tree.nodes.new("CompositorNodeComposite")
    layers = tree.nodes.new("CompositorNodeRLayers")
    alpha = tree.nodes.new("CompositorNodeSetAlpha")
    if hasattr(alpha, "mode"):
        alpha.mode = "REPLACE_ALPHA"
    else:
        alpha.inputs["Type"].default_value = "Replace Alpha"
    tree.links.new(layers.outputs["Image"], alpha.inputs["Image"])
    tree.links.new(layers.outputs["Depth"], alpha.inputs["Alpha"])
    tree.links.new(alpha.outputs[0], output.inputs[0])
    saver = tree.nodes.new("CompositorNodeOutputFile")
    if bpy.app.version >= (5, 0, 0):
        saver.directory, saver.file_name = str(folder), "normal"
        item = saver.file_output_items.new("VECTOR", "normal")
        target = saver.inputs[item.name]
    else:
        saver.base_path = str(folder)
        saver.file_slots.clear()
        saver.file_slots.new("normal")
        target = saver.inputs["normal"]
    _as_float_exr(saver.format, "RGB")
    tree.links.new(layers.outputs["Normal"], target)
    _as_float_exr(scene.render.image_settings, "RGBA")


def _as_float_exr(settings: Any, mode: str) -> None:
    if hasattr(settings, "media_type"):  # from 5.0, and before the format
        settings.media_type = "IMAGE"
    settings.file_format = "OPEN_EXR"
    settings.color_depth = "32"
    settings.color_mode = mode
    settings.exr_codec = "NONE"


def _read(path: Path) -> np.ndarray:
    """[H, W, 4] float32, rows top to bottom, of an EXR file."""
    image = bpy.data.images.load(str(path), check_existing=False)
    image.alpha_mode = "CHANNEL_PACKED"
    image.colorspace_settings.name = "Non-Color"
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return pixels.reshape(height, width, 4)[::-1]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Send Blender's own prints to nowhere."""
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
