# SPDX-License-Identifier: GPL-3.0-or-later
"""Small things, a few centimetres to half a metre: what lies on tables, shelves and floors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .solids import Solid, blob, box, cylinder, join, lathe, moved, prism, sheet, sphere, tilted, tube
from .stage import Stage


def vessel(rng: np.random.Generator, height: float) -> Solid:
    """A bottle, vase, jug or jar: a smooth profile through random radii."""
    count = int(rng.integers(4, 7))
    heights = np.linspace(0, height, count)
    radii = rng.uniform(0.12, 0.45, count) * height
    fine = np.linspace(0, height, 14)
    smooth = np.interp(fine, heights, radii)
    smooth = np.convolve(np.pad(smooth, 2, mode="edge"), np.ones(5) / 5, "valid")
    return lathe([(0.0, 0.0), *zip(smooth.tolist(), fine.tolist(), strict=True), (0.0, height)], 20)


def cup(rng: np.random.Generator, height: float) -> Solid:
    """A cup, bowl or glass, open above, sometimes with a handle or on a saucer."""
    top = height * rng.uniform(0.4, 1.3)
    foot = top * rng.uniform(0.5, 0.95)
    full = rng.uniform(0.2, 0.9) * height
    inner = 0.9 * (foot + (top - foot) * full / height)
    parts = [
        lathe(
            [
                (foot, 0),
                (0.5 * (foot + top), height * 0.4),
                (top, height),
                (top * 0.92, height),
                (inner, full),
                (0, full),
            ],
            24,
        )
    ]
    if rng.random() < 0.5:
        angles = np.linspace(-1.3, 1.3, 9)
        loop = np.stack(
            [0.5 * (foot + top) + 0.4 * height * np.cos(angles), 0 * angles, height * (0.5 + 0.32 * np.sin(angles))], 1
        )
        parts.append(tube(loop, np.full(9, height * 0.06)))
    if rng.random() < 0.4:
        parts.append(lathe([(foot, 0), (top * 1.9, height * 0.12), (top * 1.9, height * 0.16), (0, height * 0.05)], 28))
    return join(parts)


def book(rng: np.random.Generator, height: float) -> Solid:
    return box(height * rng.uniform(0.6, 0.8), height, height * rng.uniform(0.06, 0.25))


def fruit(rng: np.random.Generator, size: float) -> Solid:
    lump = blob(rng, size / 2, rng.uniform(0.02, 0.15), 18, waves=3)
    return moved(lump, (0, 0, size * 0.42), scale=(1, 1, rng.uniform(0.8, 1.15)))


def carton(rng: np.random.Generator, size: float) -> Solid:
    return box(size * rng.uniform(0.4, 1.2), size * rng.uniform(0.3, 1.0), size * rng.uniform(0.3, 1.3))


def can(rng: np.random.Generator, height: float) -> Solid:
    radius = height * rng.uniform(0.2, 0.45)
    return lathe(
        [(radius * 0.92, 0), (radius, height * 0.04), (radius, height * 0.96), (radius * 0.92, height), (0, height)], 20
    )


def gem(rng: np.random.Generator, size: float) -> Solid:
    """A prism, cone or pyramid: toys, blocks, pencils' cups."""
    sides = int(rng.integers(3, 9))
    if rng.random() < 0.5:
        angles = np.linspace(0, 2 * np.pi, sides, endpoint=False)
        outline = np.stack([np.cos(angles), np.sin(angles)], 1) * size * rng.uniform(0.2, 0.6)
        return prism(outline, size * rng.uniform(0.3, 1.2))
    return cylinder(size * 0.5, size * rng.uniform(0.5, 1.3), sides, top_radius=size * rng.uniform(0.0, 0.3))


def ring(rng: np.random.Generator, size: float) -> Solid:
    """A torus that lies or leans."""
    angles = np.linspace(0, 2 * np.pi, 25)
    thick = size * rng.uniform(0.05, 0.2)
    path = np.stack([np.cos(angles), np.sin(angles), 0 * angles], 1) * (size / 2 - thick)
    return moved(tube(path, np.full(25, thick), 10), (0, 0, thick))


def paper(rng: np.random.Generator, size: float) -> Solid:
    """A sheet, napkin or cloth that lies in waves."""
    x, y = np.meshgrid(np.linspace(-size / 2, size / 2, 14), np.linspace(-size / 2, size / 2, 14))
    lift = size * rng.uniform(0.0, 0.06)
    z = lift * (1.2 + np.sin(x * rng.uniform(5, 20) / size + 1) * np.sin(y * rng.uniform(5, 20) / size))
    return sheet(x, y * rng.uniform(0.6, 1.4), z + 0.001)


def stick(rng: np.random.Generator, length: float) -> Solid:
    """Pencils, cutlery, tools: something thin that lies flat."""
    path = np.array([(-length / 2, 0, 0.02 * length), (0, 0, 0.025 * length), (length / 2, 0, 0.02 * length)])
    return tube(path, np.array([0.02, rng.uniform(0.02, 0.06), rng.uniform(0.01, 0.06)]) * length)


def flower(rng: np.random.Generator, height: float) -> tuple[Solid, Solid]:
    """A flower that leans: stem with leaves, and head of petals."""
    petals = int(rng.integers(5, 16))
    wide, open_angle = height * rng.uniform(0.15, 0.35), rng.uniform(0.2, 1.2)
    along, across = np.meshgrid(np.linspace(0.05, 1, 5), np.array([-1.0, 0.0, 1.0]))
    width = wide * 0.5 * np.sin(np.pi * np.clip(along * 0.85 + 0.1, 0, 1)) * 5 / petals
    blade = sheet(
        across * width,
        along * wide * math.cos(open_angle),
        along**1.5 * wide * math.sin(open_angle) - 0.02 * abs(across) * wide,
    )
    parts = [moved(blade, yaw=2 * math.pi * i / petals, scale=1 - 0.35 * (i % 2)) for i in range(petals)]
    parts.append(moved(sphere(wide * 0.16, 12), (0, 0, -wide * 0.05)))
    bend = rng.uniform(-0.2, 0.2, 2) * height
    stem = tube(
        np.array([(0, 0, 0), (bend[0] * 0.3, bend[1] * 0.3, height * 0.6), (*bend, height)]), np.full(3, height * 0.012)
    )
    crown = tilted(tilted(join(parts), rng.uniform(-0.8, 0.8)), rng.uniform(-0.8, 0.8), axis=1)
    return stem, moved(crown, (*bend, height))


SMALL = ((vessel, "ceramic"), (cup, "ceramic"), (book, "small"), (fruit, "fruit"), (carton, "small"), (can, "small"),
         (gem, "paint"), (ring, "metal"), (paper, "fabric"), (stick, "metal"), (vessel, "small"))  # fmt: skip


def small_thing(stage: Stage, size: float) -> Any:
    """A mesh of one random small thing, about `size` metres tall, with a material that suits it."""
    make, kind = SMALL[stage.rng.integers(len(SMALL))]
    return stage.mesh(make(stage.rng, size), stage.material(kind, 4))


def scatter_small(
    stage: Stage,
    count: int,
    area: tuple[float, float, float, float],
    height: float,
    size: tuple[float, float],
    taken: list[tuple[float, float, float]],
) -> None:
    """Put up to `count` small things of `size` (range, metres) on a surface at `height`, sometimes one on another."""
    meshes = [(small_thing(stage, s), s) for s in stage.rng.uniform(*size, max(3, count // 2))]
    for mesh, s in (meshes[stage.rng.integers(len(meshes))] for _ in range(count)):
        for x, y in stage.free_spots(1, area, s * 0.45, taken):
            stage.add(mesh, location=(x, y, height), yaw=stage.rng.uniform(0, 2 * math.pi))


def heap(stage: Stage, count: int, centre: tuple[float, float], spread: float, size: tuple[float, float]) -> None:
    """Things thrown on a pile on z = 0: tilted at random, higher towards the middle."""
    rng = stage.rng
    for _ in range(count):
        s = rng.uniform(*size)
        x, y = rng.normal(0, spread / 2, 2)
        height = max(0.0, spread * 0.5 * (1 - math.hypot(x, y) / spread)) * rng.random()
        tilt = (rng.uniform(-1.5, 1.5), rng.uniform(-1.5, 1.5)) if rng.random() < 0.6 else (0.0, 0.0)
        place = (centre[0] + x, centre[1] + y, height + (0.3 * s if tilt[0] else 0))
        stage.add(small_thing(stage, s), location=place, yaw=rng.uniform(0, 2 * math.pi), tilt=tilt)
