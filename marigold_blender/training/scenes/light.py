# SPDX-License-Identifier: GPL-3.0-or-later
"""Light for the families: days with sun and sky, rooms with lamps and windows, and soft light for close-ups.

Indirect light comes from the world's colour weighed by ambient occlusion (Cycles' fast global illumination), which is
why rooms, too, need a world of some brightness.
"""

from __future__ import annotations

import colorsys
import math
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from .stage import Stage

HDRIS = ("city", "courtyard", "forest", "interior", "studio", "sunrise", "sunset")  # Blender's own studio lights


def daylight(stage: Stage) -> None:
    """A sky that is seen (plain, graded or clouded) and a sun, or a grey day without one."""
    rng = stage.rng
    overcast = rng.random() < 0.25
    evening = not overcast and rng.random() < 0.25
    zenith = _hsv(rng.uniform(0.55, 0.65), rng.uniform(0.0, 0.1) if overcast else rng.uniform(0.3, 0.8), 0.7)
    if evening:
        horizon = _hsv(rng.uniform(0.02, 0.12), rng.uniform(0.2, 0.7), rng.uniform(0.7, 1.0))
    else:
        horizon = _hsv(rng.uniform(0.52, 0.62), rng.uniform(0.0, 0.25), rng.uniform(0.75, 1.0))
    strength = rng.uniform(0.6, 1.4)
    tree, background = _new_world()
    gradient = _by_elevation(tree, horizon, zenith, rng.uniform(0.15, 0.8))
    cover = rng.uniform(0, 1)
    if overcast or cover < 0.6:
        clouds = _clouds(rng, tree)
        white = rng.uniform(0.6, 1.1)
        gradient = _mixed(tree, clouds, gradient, (white, white, white, 1))
    tree.links.new(gradient, background.inputs["Color"])
    background.inputs["Strength"].default_value = strength
    if not overcast:
        elevation = rng.uniform(0.08, 0.35) if evening else rng.uniform(0.35, 1.4)
        warm = rng.uniform(0.02, 0.3) + (0.3 if evening else 0)
        sun = stage.add_lamp(
            "SUN", (0, 0, 10), rng.uniform(1.5, 5), (1, 1 - 0.5 * warm, 1 - warm), rng.uniform(0.005, 0.06)
        )
        sun.rotation_euler = (math.pi / 2 - elevation, 0, rng.uniform(0, 2 * math.pi))


def lamplight(stage: Stage, size: tuple[float, float, float], dim: float = 1.0) -> None:
    """Lamps under the ceiling of a room of `size` (x, y, height) (corner at the origin), and windows."""
    rng = stage.rng
    x, y, height = size
    ambient = _hsv(rng.uniform(0.05, 0.65), rng.uniform(0, 0.25), 1.0)
    _, background = _new_world()
    background.inputs["Color"].default_value = ambient
    background.inputs["Strength"].default_value = rng.uniform(0.15, 0.7) * dim
    for _ in range(rng.integers(1, 4)):
        place = (rng.uniform(0.15, 0.85) * x, rng.uniform(0.15, 0.85) * y, height - rng.uniform(0.05, 0.4))
        warm = rng.uniform(0, 0.5)
        power = rng.uniform(3, 12) * x * y * dim / 4
        stage.add_lamp("AREA", place, power, (1, 1 - 0.4 * warm, 1 - warm), rng.uniform(0.2, 1.5))
    if rng.random() < 0.6:  # a window: a large cool lamp at one wall
        lamp = stage.add_lamp("AREA", (0.05, rng.uniform(0.2, 0.8) * y, height * 0.6), 6 * x * y, (0.8, 0.9, 1), 1.4)
        lamp.rotation_euler = (0, -math.pi / 2, 0)


def soft_light(stage: Stage, spread: float) -> None:
    """Light for things within `spread` metres: one of Blender's light probes, and a key lamp or two."""
    rng = stage.rng
    tree, background = _new_world()
    folder = Path(bpy.utils.resource_path("LOCAL")) / "datafiles/studiolights/world"
    environment = tree.nodes.new("ShaderNodeTexEnvironment")
    environment.image = bpy.data.images.load(str(folder / f"{rng.choice(HDRIS)}.exr"), check_existing=True)
    turn = tree.nodes.new("ShaderNodeMapping")
    turn.inputs["Rotation"].default_value = (0, 0, rng.uniform(0, 2 * math.pi))
    coordinates = tree.nodes.new("ShaderNodeTexCoord")
    tree.links.new(coordinates.outputs["Generated"], turn.inputs["Vector"])
    tree.links.new(turn.outputs["Vector"], environment.inputs["Vector"])
    tree.links.new(environment.outputs["Color"], background.inputs["Color"])
    background.inputs["Strength"].default_value = rng.uniform(0.3, 1.2)
    for _ in range(rng.integers(1, 3)):
        angle = rng.uniform(0, 2 * math.pi)
        distance = spread * rng.uniform(1.0, 2.5)
        place = (math.cos(angle) * distance, math.sin(angle) * distance, spread * rng.uniform(0.8, 2.5))
        warm = rng.uniform(0, 0.4)
        power = rng.uniform(10, 60) * distance**2
        lamp = stage.add_lamp("AREA", place, power, (1, 1 - 0.4 * warm, 1 - warm), spread * rng.uniform(0.1, 0.8))
        lamp.rotation_euler = (math.atan2(distance, place[2]), 0, angle + math.pi / 2)


def _new_world() -> tuple[Any, Any]:
    world = bpy.data.worlds.new("world")
    bpy.context.scene.world = world
    world.cycles.sampling_method = "MANUAL"  # the automatic map of a sky takes longer to build than a picture to render
    world.cycles.sample_map_resolution = 64
    if bpy.app.version < (5, 0, 0):
        world.use_nodes = True
    return world.node_tree, world.node_tree.nodes["Background"]


def _by_elevation(tree: Any, horizon: tuple, zenith: tuple, height: float) -> Any:
    """A colour that goes from `horizon` to `zenith` up to the sine of elevation `height`."""
    coordinates = tree.nodes.new("ShaderNodeTexCoord")
    split = tree.nodes.new("ShaderNodeSeparateXYZ")
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    ramp.color_ramp.elements[0].color = horizon
    ramp.color_ramp.elements[1].color = zenith
    ramp.color_ramp.elements[1].position = height
    tree.links.new(coordinates.outputs["Generated"], split.inputs["Vector"])
    tree.links.new(split.outputs["Z"], ramp.inputs["Fac"])
    return ramp.outputs["Color"]


def _clouds(rng: np.random.Generator, tree: Any) -> Any:
    """0..1: noise stretched towards the horizon, thresholded softly."""
    coordinates = tree.nodes.new("ShaderNodeTexCoord")
    mapping = tree.nodes.new("ShaderNodeMapping")
    mapping.inputs["Scale"].default_value = (1, 1, rng.uniform(1.5, 4))
    mapping.inputs["Location"].default_value = tuple(rng.uniform(0, 50, 3))
    noise = tree.nodes.new("ShaderNodeTexNoise")
    noise.inputs["Scale"].default_value = rng.uniform(1.5, 5)
    noise.inputs["Detail"].default_value = 5
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    low = rng.uniform(0.3, 0.55)
    ramp.color_ramp.elements[0].position = low
    ramp.color_ramp.elements[1].position = low + rng.uniform(0.1, 0.4)
    tree.links.new(coordinates.outputs["Generated"], mapping.inputs["Vector"])
    tree.links.new(mapping.outputs["Vector"], noise.inputs["Vector"])
    tree.links.new(noise.outputs[0], ramp.inputs["Fac"])
    return ramp.outputs["Color"]


def _mixed(tree: Any, factor: Any, colour: Any, other: tuple) -> Any:
    node = tree.nodes.new("ShaderNodeMix")
    node.data_type = "RGBA"
    inputs = {socket.identifier: socket for socket in node.inputs}
    tree.links.new(factor, inputs["Factor_Float"])
    tree.links.new(colour, inputs["A_Color"])
    inputs["B_Color"].default_value = other
    return next(socket for socket in node.outputs if socket.identifier == "Result_Color")


def _hsv(hue: float, saturation: float, value: float) -> tuple[float, float, float, float]:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return red**2.2, green**2.2, blue**2.2, 1.0
