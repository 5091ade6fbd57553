# SPDX-License-Identifier: GPL-3.0-or-later
"""Family `closeups`: one thing fills the picture. Portraits, animal faces, flowers, fruit, one object."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from . import figures
from .clutter import flower, scatter_small, small_thing
from .light import daylight, lamplight, soft_light
from .nature import bushes
from .rooms import shell
from .solids import box, moved
from .stage import Stage
from .viewpoints import Propose, View


def build(stage: Stage) -> Propose:
    """A subject about `size` metres tall around (0, 0, aim height), a setting behind it."""
    rng = stage.rng
    subject: Callable[[Stage], tuple[float, float]] = (_portrait, _portrait, _animal, _animal, _flowers, _thing)[
        rng.integers(6)
    ]
    size, aim = subject(stage)
    _setting(stage, size)

    def propose(rng: np.random.Generator) -> View:
        turn = rng.normal(0, 0.7) - math.pi / 2  # mostly from the front, which looks along -Y
        away = size * rng.uniform(1.2, 4.0)
        lift = rng.normal(0.1, 0.25) * away
        eye = (math.cos(turn) * away, math.sin(turn) * away, max(aim + lift, 0.05 * size))
        target = (rng.normal(0, 0.15) * size, rng.normal(0, 0.1) * size, aim + rng.normal(0, 0.12) * size)
        lens = float(np.clip(36 * away / (size * rng.uniform(1.0, 2.6)), 18, 85))
        blur = rng.uniform(1.4, 6) if rng.random() < 0.5 else 0.0
        return View(eye, target, lens, rng.normal(0, 0.05), blur)

    return propose


def _portrait(stage: Stage) -> tuple[float, float]:
    rng = stage.rng
    size = 0.24
    lift = rng.uniform(0.8, 1.2)
    count = 1 if rng.random() < 0.7 else 2
    for i in range(count):
        for part, solid in figures.bust(rng, size).items():
            kind = {"skin": "skin", "hair": "fur", "eyes": "glass"}.get(part, "fabric")
            stage.add(solid, stage.material(kind, 4), (i * rng.uniform(0.4, 0.6), i * rng.uniform(-0.2, 0.5), lift))
    return 0.35, lift + 2.0 * size


def _animal(stage: Stage) -> tuple[float, float]:
    rng = stage.rng
    size = rng.uniform(0.12, 0.4)
    if rng.random() < 0.6:
        parts = figures.animal_head(rng, size)
        parts["body"] = moved(figures.slumped(rng, size * 0.9), (0, size * 0.9, 0))
        for part, solid in parts.items():
            stage.add(solid, stage.material("glass" if part == "eyes" else "fur", 3), (0, 0, 0.02), rng.normal(0, 0.4))
        return size, size * 0.5
    for part, solid in figures.animal(rng, size * 2).items():
        stage.add(solid, stage.material("glass" if part == "eyes" else "fur", 3), yaw=rng.uniform(-1.5, 1.5))
    return size * 2, size * 1.0


def _flowers(stage: Stage) -> tuple[float, float]:
    rng = stage.rng
    height = rng.uniform(0.15, 0.5)
    for _ in range(rng.integers(1, 12)):
        stem, crown = flower(rng, height * rng.uniform(0.7, 1.1))
        place = tuple(rng.normal(0, 0.25, 2) * height)
        stage.add(stem, stage.material("leaf"), (*place, 0))
        stage.add(crown, stage.material("fruit", 3), (*place, 0))
    return height * 0.6, height * 0.9


def _thing(stage: Stage) -> tuple[float, float]:
    rng = stage.rng
    size = rng.uniform(0.08, 0.5)
    stage.add(small_thing(stage, size), yaw=rng.uniform(0, 6.3))
    scatter_small(
        stage,
        int(rng.integers(0, 6)),
        (-size, -0.3 * size, size, 2 * size),
        0,
        (0.2 * size, 0.7 * size),
        [(0, 0, size * 0.5)],
    )
    return size, size * 0.45


def _setting(stage: Stage, size: float) -> None:
    """Ground or floor at z = 0 and a background that is near, far, or green."""
    rng = stage.rng
    choice = rng.random()
    if choice < 0.35:
        soft_light(stage, max(1.0, 3 * size))
        behind = size * rng.uniform(1.0, 6.0)
        stage.add(box(20 * size + 2, 0.1, 12 * size + 2, (0, behind + 0.05), -1), stage.material("any"))
        stage.add(box(20 * size + 2, 20 * size + 2, 0.1, bottom=-0.1), stage.material("floor"))
        stage.add_plane("backdrop", (0, behind, 0), (0, -1, 0))
    elif choice < 0.65:
        daylight(stage)
        stage.add(box(200, 200, 0.1, bottom=-0.1), stage.material("ground"))
        spots = [(rng.uniform(-8, 8), rng.uniform(1.5, 10), 0.0) for _ in range(10)]
        bushes(stage, spots, (0.4, 1.8))
    else:
        room = (rng.uniform(3, 7), rng.uniform(3, 7), 2.7)
        lamplight(stage, room)
        before = len(stage.scene.collection.objects)
        shell(stage, room)
        for part in list(stage.scene.collection.objects)[before:]:
            part.location = (part.location[0] - room[0] / 2, part.location[1] - room[1] * 0.55, part.location[2])
        stage.planes.clear()  # they were declared before the room was moved
        for x, y in stage.free_spots(6, (-room[0] / 2 + 0.4, 1, room[0] / 2 - 0.4, room[1] * 0.4), 0.3, []):
            stage.add(box(0.5, 0.5, rng.uniform(0.4, 1.9)), stage.material("paint"), (x, y, 0), rng.uniform(0, 3))
    stage.add_plane("ground", (0, 0, 0), (0, 0, 1))
