# SPDX-License-Identifier: GPL-3.0-or-later
"""Varied surfaces: textures, procedural patterns and plain paint, tinted and glossy as the kind of thing allows.

Textures are laid on by box projection in object space, so shapes need no UV map.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np


@dataclass(frozen=True)
class Look:
    """What a kind of surface may look like.

    Attributes:
        hues: ranges of hue (0..1) one of which the tint is drawn from.
        saturation, value: ranges of the tint.
        textures: prefixes of the texture files that suit it; empty: any.
        textured, patterned: shares of texture and of procedural pattern; the rest is plain paint.
        tile_m: range of the size that one texture covers, in metres.
        roughness: range; metallic: chance of metal.
        own_hue: chance that the tint sets hue and saturation and the texture only the brightness (grass is green).
    """

    hues: tuple[tuple[float, float], ...] = ((0.0, 1.0),)
    saturation: tuple[float, float] = (0.0, 0.6)
    value: tuple[float, float] = (0.15, 0.95)
    textures: tuple[str, ...] = ()
    textured: float = 0.6
    patterned: float = 0.15
    tile_m: tuple[float, float] = (0.3, 2.0)
    roughness: tuple[float, float] = (0.3, 1.0)
    metallic: float = 0.05
    own_hue: float = 0.0


BROWNS = ((0.03, 0.12),)
GREENS = ((0.16, 0.38),)
LOOKS = {
    "any": Look(saturation=(0.0, 0.9)),
    "paint": Look(saturation=(0.1, 1.0), textured=0.15, patterned=0.05, roughness=(0.1, 0.7), metallic=0.15),
    "wall": Look(saturation=(0.0, 0.35), value=(0.45, 0.95), textured=0.4, patterned=0.15, roughness=(0.7, 1.0)),
    "floor": Look((*BROWNS, (0.0, 1.0)), (0.0, 0.6), (0.15, 0.8), textured=0.6, patterned=0.25, roughness=(0.15, 0.9)),
    "facade": Look(
        ((0.0, 0.15), (0.5, 0.65)), (0.0, 0.5), (0.3, 0.95), textured=0.5, patterned=0.3, tile_m=(1, 5), metallic=0
    ),
    "roof": Look(((0.0, 0.1), (0.5, 0.65)), (0.1, 0.7), (0.1, 0.5), textured=0.5, patterned=0.3, tile_m=(0.5, 3)),
    "road": Look(saturation=(0.0, 0.15), value=(0.12, 0.55), textured=0.7, tile_m=(1, 6), roughness=(0.6, 1.0)),
    "wood": Look(
        BROWNS,
        (0.2, 0.7),
        (0.15, 0.75),
        ("grain", "crop"),
        0.8,
        0.1,
        (0.4, 1.5),
        roughness=(0.25, 0.8),
        metallic=0,
        own_hue=0.7,
    ),
    "fabric": Look(saturation=(0.0, 0.8), textures=("weave", "crop", "cloud"), textured=0.8, roughness=(0.8, 1.0)),
    "ground": Look(
        BROWNS + GREENS,
        (0.1, 0.7),
        (0.2, 0.7),
        ("surface_gr", "cloud", "crop"),
        0.95,
        0,
        (1, 8),
        (0.8, 1.0),
        0,
        own_hue=0.7,
    ),
    "leaf": Look(
        GREENS,
        (0.3, 0.9),
        (0.08, 0.5),
        ("cloud", "leaves", "surface_gr"),
        0.85,
        0,
        (0.3, 2),
        (0.5, 1.0),
        0,
        own_hue=0.7,
    ),
    "bark": Look(BROWNS, (0.1, 0.6), (0.08, 0.4), ("grain", "cloud"), 0.9, 0, (0.3, 1.5), (0.8, 1.0), 0, own_hue=0.7),
    "rock": Look(
        ((0.0, 0.15),),
        (0.0, 0.4),
        (0.2, 0.7),
        ("surface_gr", "surface_moon", "cloud", "crop"),
        0.95,
        0,
        (0.5, 4),
        (0.7, 1.0),
        0,
        own_hue=0.7,
    ),
    "skin": Look(
        ((0.02, 0.09),), (0.25, 0.65), (0.25, 0.95), ("cloud",), 0.25, 0, (0.1, 0.5), (0.35, 0.7), 0, own_hue=0.7
    ),
    "fur": Look(
        BROWNS,
        (0.1, 0.7),
        (0.08, 0.9),
        ("cloud", "leaves", "crop", "grain"),
        0.95,
        0,
        (0.1, 0.6),
        (0.8, 1),
        0,
        own_hue=0.7,
    ),
    "ceramic": Look(saturation=(0.0, 0.7), value=(0.2, 1.0), textured=0.3, tile_m=(0.05, 0.3), roughness=(0.05, 0.4)),
    "small": Look(saturation=(0.0, 0.95), textured=0.5, tile_m=(0.05, 0.4), roughness=(0.1, 0.9), metallic=0.12),
    "fruit": Look(((0.0, 0.33),), (0.5, 0.95), (0.3, 0.95), ("cloud",), 0.5, 0, (0.1, 0.3), (0.2, 0.6), 0, own_hue=0.7),
    "glass": Look(((0.5, 0.65),), (0.0, 0.4), (0.02, 0.25), (), 0.0, 0.0, (1, 2), (0.02, 0.15), 0),
    "metal": Look(((0.05, 0.15), (0.5, 0.65)), (0.0, 0.3), (0.4, 0.95), textured=0.2, roughness=(0.1, 0.5), metallic=1),
    "picture": Look(saturation=(0.0, 0.3), value=(0.7, 1.0), textured=1.0, patterned=0, tile_m=(0.5, 1.5)),
    "water": Look(((0.45, 0.62),), (0.1, 0.6), (0.05, 0.35), ("cloud",), 0.5, 0, (3, 12), (0.02, 0.2), 0, own_hue=0.7),
    "snow": Look(((0.55, 0.65),), (0.0, 0.1), (0.8, 1.0), ("cloud",), 0.5, 0, (2, 8), (0.6, 1.0), 0),
}


def new_material(rng: np.random.Generator, kind: str, textures: Sequence[str]) -> Any:
    """A new Principled material of one of LOOKS' kinds; `textures` are the paths to draw from."""
    look = LOOKS[kind]
    material = bpy.data.materials.new(kind)
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    tree = material.node_tree
    shader = tree.nodes["Principled BSDF"]
    metal = rng.random() < look.metallic
    shader.inputs["Roughness"].default_value = rng.uniform(*look.roughness)
    shader.inputs["Metallic"].default_value = float(metal)
    tint = _tint(rng, look)
    choice = rng.random()
    coordinates = tree.nodes.new("ShaderNodeTexCoord")
    mapping = tree.nodes.new("ShaderNodeMapping")
    tree.links.new(coordinates.outputs["Object"], mapping.inputs["Vector"])
    tile = rng.uniform(*look.tile_m)
    mapping.inputs["Scale"].default_value = (1 / tile, 1 / tile, 1 / tile)
    mapping.inputs["Location"].default_value = tuple(rng.uniform(0, 1, 3))
    if choice < look.textured:
        colour = _texture(rng, tree, look, textures)
        tree.links.new(mapping.outputs["Vector"], colour.inputs["Vector"])
        strength = rng.uniform(0.3, 1.0)
        if rng.random() < look.own_hue:
            blend, strength = "COLOR", 1.0
        else:
            blend = "MULTIPLY" if rng.random() < 0.6 else "OVERLAY"
        mixed = _mix(tree, blend, strength, colour.outputs["Color"], tint)
        tree.links.new(mixed, shader.inputs["Base Color"])
    elif choice < look.textured + look.patterned:
        pattern = _pattern(rng, tree, look, tint)
        tree.links.new(mapping.outputs["Vector"], pattern.inputs["Vector"])
        tree.links.new(pattern.outputs["Color"], shader.inputs["Base Color"])
    else:
        shader.inputs["Base Color"].default_value = tint
    return material


def _tint(rng: np.random.Generator, look: Look) -> tuple[float, float, float, float]:
    low, high = look.hues[rng.integers(len(look.hues))]
    red, green, blue = colorsys.hsv_to_rgb(
        rng.uniform(low, high) % 1.0, rng.uniform(*look.saturation), rng.uniform(*look.value)
    )
    return red**2.2, green**2.2, blue**2.2, 1.0  # chosen as seen on a display, used as scene-linear


def _texture(rng: np.random.Generator, tree: Any, look: Look, textures: Sequence[str]) -> Any:
    fitting = [path for path in textures if not look.textures or Path(path).name.startswith(look.textures)]
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = bpy.data.images.load(fitting[rng.integers(len(fitting))], check_existing=True)
    node.projection = "BOX"
    node.projection_blend = 0.15
    node.extension = "MIRROR"
    return node


def _pattern(rng: np.random.Generator, tree: Any, look: Look, tint: tuple[float, float, float, float]) -> Any:
    """Bricks, checks or waves in two related colours."""
    shade = rng.uniform(0.2, 0.8)
    other = (tint[0] * shade, tint[1] * shade, tint[2] * shade, 1.0)
    kind = rng.choice(["ShaderNodeTexBrick", "ShaderNodeTexChecker"], p=[0.6, 0.4])
    node = tree.nodes.new(str(kind))
    node.inputs["Color1"].default_value = tint
    node.inputs["Color2"].default_value = other if kind == "ShaderNodeTexChecker" else tuple(0.8 * c for c in tint)
    node.inputs["Scale"].default_value = rng.uniform(2, 6)
    if kind == "ShaderNodeTexBrick":
        node.inputs["Mortar"].default_value = other
    return node


def _mix(tree: Any, mode: str, strength: float, colour: Any, tint: tuple[float, float, float, float]) -> Any:
    node = tree.nodes.new("ShaderNodeMix")
    node.data_type = "RGBA"
    node.blend_type = mode
    inputs = {socket.identifier: socket for socket in node.inputs}
    inputs["Factor_Float"].default_value = strength
    tree.links.new(colour, inputs["A_Color"])
    inputs["B_Color"].default_value = tint
    return next(socket for socket in node.outputs if socket.identifier == "Result_Color")
