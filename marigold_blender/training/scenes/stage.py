# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene being built: families add shapes, lights and planes to a `Stage`; the renderer then shoots it.

One stage lives for one scene; `clear_scene` removes what the one before left, but keeps the texture images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from .materials import new_material
from .solids import Solid


@dataclass(frozen=True)
class NamedPlane:
    """A large flat surface whose truth later tests use: a point on it and its normal, in world space."""

    name: str
    point: tuple[float, float, float]
    normal: tuple[float, float, float]


class Stage:
    """One Blender scene under construction, and the random numbers that decide it.

    Attributes:
        rng: every choice draws from it, so that a seed gives the same scene again.
        planes: what the family declared with `add_plane`.
        exposure: target of the mean brightness (0..1 of display range) that the renderer exposes for.
    """

    def __init__(self, rng: np.random.Generator, textures: Sequence[str]) -> None:
        self.rng = rng
        self.textures = list(textures)
        self.planes: list[NamedPlane] = []
        self.exposure = float(rng.uniform(0.28, 0.5))
        self._materials: dict[str, list[Any]] = {}
        clear_scene()
        self.scene = bpy.context.scene

    def material(self, kind: str, variants: int = 3) -> Any:
        """One of at most `variants` materials of a kind (see materials.py) that this scene keeps."""
        made = self._materials.setdefault(kind, [])
        if len(made) < variants and (not made or self.rng.random() < 0.6):
            made.append(new_material(self.rng, kind, self.textures))
            return made[-1]
        return made[self.rng.integers(len(made))]

    def mesh(self, solid: Solid, material: Any) -> Any:
        """A mesh data-block that several objects may share."""
        mesh = bpy.data.meshes.new("solid")
        mesh.from_pydata(solid.vertices.tolist(), [], solid.faces)
        if solid.smooth:
            mesh.shade_smooth()
        mesh.materials.append(material)
        return mesh

    def add(
        self,
        shape: Solid | Any,
        material: Any = None,
        location: Sequence[float] = (0, 0, 0),
        yaw: float = 0.0,
        scale: float | Sequence[float] = 1.0,
        tilt: tuple[float, float] = (0.0, 0.0),
    ) -> Any:
        """Place a shape, or a mesh made before; `tilt` turns it about X and Y before `yaw` about Z."""
        mesh = self.mesh(shape, material) if isinstance(shape, Solid) else shape
        placed = bpy.data.objects.new("solid", mesh)
        placed.location = location
        placed.rotation_euler = (tilt[0], tilt[1], yaw)
        placed.scale = (scale, scale, scale) if isinstance(scale, int | float) else scale
        self.scene.collection.objects.link(placed)
        return placed

    def add_plane(self, name: str, point: Sequence[float], normal: Sequence[float]) -> None:
        """Declare a large flat surface of this scene."""
        x, y, z = normal
        length = math.sqrt(x * x + y * y + z * z)
        px, py, pz = map(float, point)
        self.planes.append(NamedPlane(name, (px, py, pz), (x / length, y / length, z / length)))

    def add_lamp(self, kind: str, location: Sequence[float], power: float, colour: Sequence[float], size: float) -> Any:
        """A lamp: kind POINT, AREA (faces down) or SUN; `power` in Blender's unit, `size` in metres (SUN: radians)."""
        lamp = bpy.data.lights.new("lamp", kind)
        lamp.energy = power
        lamp.color = tuple(colour[:3])
        if kind == "SUN":
            lamp.angle = size
        elif kind == "AREA":
            lamp.size = size
        else:
            lamp.shadow_soft_size = size
        placed = bpy.data.objects.new("lamp", lamp)
        placed.location = location
        self.scene.collection.objects.link(placed)
        return placed

    def free_spots(
        self,
        count: int,
        area: tuple[float, float, float, float],
        radius: float,
        taken: list[tuple[float, float, float]],
    ) -> list[tuple[float, float]]:
        """Up to `count` places in (x0, y0, x1, y1) that keep `radius` from each other and from `taken` (x, y, radius).

        The places found are added to `taken`.
        """
        x0, y0, x1, y1 = area
        spots: list[tuple[float, float]] = []
        for _ in range(count * 6):
            if len(spots) == count:
                break
            x, y = float(self.rng.uniform(x0, x1)), float(self.rng.uniform(y0, y1))
            if all(math.hypot(x - tx, y - ty) > radius + other for tx, ty, other in taken):
                spots.append((x, y))
                taken.append((x, y, radius))
        return spots


def clear_scene() -> None:
    """Remove everything but the scene itself and the images, and what the renderer keeps of the scene before."""
    render = bpy.context.scene.render
    if render.use_persistent_data:  # switching it off frees what is kept; else the next scene's noise depends on it
        render.use_persistent_data = False
        render.use_persistent_data = True
    for blocks in (
        bpy.data.objects,
        bpy.data.meshes,
        bpy.data.materials,
        bpy.data.lights,
        bpy.data.cameras,
        bpy.data.worlds,
    ):
        bpy.data.batch_remove(list(blocks))
