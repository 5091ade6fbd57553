# SPDX-License-Identifier: GPL-3.0-or-later
"""Family `tabletops`: small things on a table, from arm's length down to close-ups, some with a blurred background."""

from __future__ import annotations

import math

import numpy as np

from .clutter import flower, scatter_small, small_thing
from .furniture import table
from .light import daylight, lamplight, soft_light
from .rooms import shell
from .solids import box, cylinder
from .stage import Stage
from .viewpoints import Propose, View, random_lens


def build(stage: Stage) -> Propose:
    """A laid table at the origin of the plan, in a room, outdoors, or before a near wall."""
    rng = stage.rng
    wide, deep, high = rng.uniform(0.7, 1.8), rng.uniform(0.6, 1.1), rng.uniform(0.5, 0.85)
    middle = _surroundings(stage, wide, deep, high)
    spread = rng.uniform(0.2, 0.5) * min(wide, deep)
    size = (spread * 0.12, spread * rng.uniform(0.4, 0.9))
    x, y = middle
    area = (x - spread, y - spread * 0.8, x + spread, y + spread * 0.8)
    taken: list[tuple[float, float, float]] = []
    if rng.random() < 0.3:  # one thing that stands out
        stage.add(small_thing(stage, size[1] * 1.2), location=(x, y, high))
        taken.append((x, y, size[1] * 0.5))
    if rng.random() < 0.25:
        for fx, fy in stage.free_spots(4, area, 0.06, taken):
            stem, crown = flower(rng, spread * rng.uniform(0.6, 1.2))
            stage.add(stem, stage.material("leaf"), (fx, fy, high))
            stage.add(crown, stage.material("fruit", 5), (fx, fy, high))
    scatter_small(stage, int(rng.integers(3, 30)), area, high, size, taken)

    def propose(rng: np.random.Generator) -> View:
        angle = rng.uniform(0, 2 * math.pi)
        away = spread * rng.uniform(0.8, 4.0)
        lift = away * math.tan(rng.uniform(0.08, 1.35)) if rng.random() < 0.85 else away * 0.05
        lift = min(lift, 3 * spread + 0.2)
        target = (
            x + rng.normal(0, 0.3) * spread,
            y + rng.normal(0, 0.3) * spread,
            high + rng.uniform(0, 0.25) * spread,
        )
        eye = (target[0] + math.cos(angle) * away, target[1] + math.sin(angle) * away, high + 0.04 + lift)
        blur = rng.uniform(1.4, 8) if rng.random() < 0.35 else 0.0
        return View(eye, target, random_lens(rng, 24, 85), rng.normal(0, 0.06), blur)

    return propose


def _surroundings(stage: Stage, wide: float, deep: float, high: float) -> tuple[float, float]:
    """The table and what is around it; returns the table's middle."""
    rng = stage.rng
    top = box(wide, deep, 0.04, bottom=high - 0.04) if rng.random() < 0.5 else None
    choice = rng.random()
    if choice < 0.5:
        size = (rng.uniform(2.5, 6), rng.uniform(2.5, 6), rng.uniform(2.4, 3.2))
        shell(stage, size)
        lamplight(stage, size)
        middle = (size[0] / 2, rng.uniform(0.4, 0.6) * size[1])
        for x, y in stage.free_spots(4, (0.4, 0.4, size[0] - 0.4, size[1] - 0.4), 0.4, [(*middle, 1.2)]):
            stage.add(box(0.6, 0.5, rng.uniform(0.4, 1.8)), stage.material("paint"), (x, y, 0), rng.uniform(0, 3))
    elif choice < 0.75:
        daylight(stage)
        middle = (0.0, 0.0)
        stage.add(box(60, 60, 0.2, bottom=-0.2), stage.material("ground"))
        for x, y in stage.free_spots(8, (-12, -12, 12, 12), 0.8, [(0, 0, 2.5)]):
            stage.add(cylinder(rng.uniform(0.3, 1), rng.uniform(1, 4), 14), stage.material("leaf"), (x, y, 0))
    else:
        soft_light(stage, 1.2)
        middle = (0.0, 0.0)
        reach = deep / 2 + rng.uniform(0.05, 1.0)
        backdrop = stage.material("wall" if rng.random() < 0.5 else "any")
        stage.add(box(8, 0.1, 4, (0, reach + 0.05), -0.5), backdrop)
        stage.add(box(8, 8, 0.1, bottom=-0.1), stage.material("floor"))
        stage.add(box(8, 0.1, 4, (0, -4), -0.5), stage.material("wall"))
    solid = top or table(rng, wide, deep, high)
    surface = "fabric" if rng.random() < 0.3 else "wood" if rng.random() < 0.6 else "any"
    stage.add(solid, stage.material(surface), (*middle, 0))
    if top is None and rng.random() < 0.4:
        stage.add(box(wide * 0.8, deep * 0.7, 0.006, bottom=high), stage.material("fabric"), (*middle, 0))
    stage.add_plane("table", (*middle, high), (0, 0, 1))
    return middle
