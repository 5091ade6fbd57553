# SPDX-License-Identifier: GPL-3.0-or-later
"""Family `rooms`: furnished rooms with pictures, windows, curtains, rugs and people, seen from standing or sitting."""

from __future__ import annotations

import math

import numpy as np

from . import figures, furniture
from .clutter import scatter_small
from .light import lamplight
from .solids import box, cylinder, moved, wall
from .stage import Stage
from .viewpoints import Propose, View, random_lens


def build(stage: Stage) -> Propose:
    """Furnish one room with its corner at the origin."""
    rng = stage.rng
    size = (rng.uniform(2.8, 9), rng.uniform(2.8, 9), rng.uniform(2.3, 3.6))
    shell(stage, size)
    lamplight(stage, size)
    taken: list[tuple[float, float, float]] = []
    _along_walls(stage, size, taken)
    _standing_free(stage, size, taken)
    for _ in range(rng.integers(0, 3)):
        for x, y in stage.free_spots(1, (0.5, 0.5, size[0] - 0.5, size[1] - 0.5), 0.35, taken):
            add_person(stage, (x, y, 0), rng.uniform(1.5, 1.9), rng.uniform(0, 6.3))
    if rng.random() < 0.5:
        scatter_small(stage, 14, (0.3, 0.3, size[0] - 0.3, size[1] - 0.3), 0.0, (0.1, 0.4), taken)

    def propose(rng: np.random.Generator) -> View:
        eye = (
            rng.uniform(0.3, size[0] - 0.3),
            rng.uniform(0.3, size[1] - 0.3),
            rng.uniform(0.5, min(2.1, size[2] - 0.3)),
        )
        towards = (rng.uniform(0.1, 0.9) * size[0], rng.uniform(0.1, 0.9) * size[1], rng.uniform(0.1, 1.5))
        return View(eye, towards, random_lens(rng, 18, 45), rng.normal(0, 0.02))

    return propose


def shell(stage: Stage, size: tuple[float, float, float]) -> None:
    """Floor, ceiling and four walls with skirting, doors, windows and pictures."""
    rng = stage.rng
    x, y, height = size
    stage.add(box(x, y, 0.1, (x / 2, y / 2), -0.1), stage.material("floor"))
    stage.add(box(x, y, 0.1, (x / 2, y / 2), height), stage.material("wall"))
    stage.add_plane("floor", (0, 0, 0), (0, 0, 1))
    stage.add_plane("ceiling", (0, 0, height), (0, 0, -1))
    corners = [(0.0, 0.0), (0.0, y), (x, y), (x, 0.0)]  # this way round, faces look inside
    paint = stage.material("wall")
    for i, start in enumerate(corners):
        end = corners[(i + 1) % 4]
        material = paint if rng.random() < 0.7 else stage.material("wall")
        stage.add(wall(start, end, height), material)
        along = np.subtract(end, start)
        length = float(np.hypot(*along))
        along = along / length
        inward = np.array([along[1], -along[0]])
        stage.add_plane(f"wall_{i}", (*start, 0), (*inward, 0))
        yaw = math.atan2(along[1], along[0])
        if rng.random() < 0.6:
            skirting = box(length, 0.03, rng.uniform(0.06, 0.2), (length / 2, 0))
            stage.add(skirting, stage.material("wood"), (*start, 0), yaw)
        _hang(stage, np.array(start), along, inward, length, yaw, height)


def _hang(
    stage: Stage, start: np.ndarray, along: np.ndarray, inward: np.ndarray, length: float, yaw: float, height: float
) -> None:
    """Put a door, windows with curtains, or pictures on one wall."""
    rng = stage.rng
    choice = rng.random()
    count = int(rng.integers(1, 4))
    for i in range(count):
        middle = start + along * length * (i + 0.5 + rng.uniform(-0.2, 0.2)) / count
        x, y = middle + inward * 0.02
        if choice < 0.3 and i == 0:
            stage.add(box(0.95, 0.06, 2.05), stage.material("wood"), (x, y, 0), yaw)
            stage.add(box(0.8, 0.09, 1.95), stage.material("paint"), (x, y, 0), yaw)
        elif choice < 0.6:
            wide, tall = rng.uniform(0.6, 1.4), rng.uniform(0.7, 1.5)
            low = min(0.9, height - tall - 0.1)
            stage.add(box(wide + 0.12, 0.06, tall + 0.12, bottom=low - 0.06), stage.material("wall"), (x, y, 0), yaw)
            stage.add(box(wide, 0.07, tall, bottom=low), stage.material("glass"), (x, y, 0), yaw)
            stage.add(box(0.05, 0.1, tall, bottom=low), stage.material("wall"), (x, y, 0), yaw)
            if rng.random() < 0.6:
                cloth = stage.mesh(
                    furniture.curtain(rng, rng.uniform(0.3, 0.9), height - 0.15), stage.material("fabric")
                )
                for side in (-1, 1):
                    px, py = middle + along * side * (wide / 2 + 0.25) + inward * 0.12
                    stage.add(cloth, location=(px, py, 0.05), yaw=yaw)
        elif choice < 0.9:
            wide, tall = rng.uniform(0.3, 1.3), rng.uniform(0.3, 1.0)
            low = rng.uniform(1.0, max(1.05, height - tall - 0.3))
            stage.add(box(wide + 0.06, 0.03, tall + 0.06, bottom=low - 0.03), stage.material("wood"), (x, y, 0), yaw)
            stage.add(box(wide, 0.05, tall, bottom=low), stage.material("picture"), (x, y, 0), yaw)


def _along_walls(stage: Stage, size: tuple[float, float, float], taken: list[tuple[float, float, float]]) -> None:
    """Cupboards, sofas, beds and shelves with their backs to the walls."""
    rng = stage.rng
    x, y, height = size
    for _ in range(rng.integers(2, 7)):
        side = int(rng.integers(4))
        make = (furniture.cupboard, furniture.sofa, furniture.bed, furniture.screen, None)[rng.integers(5)]
        solid = make(rng) if make else furniture.shelf_unit(1.0, 0.32, rng.uniform(1, 2.1), int(rng.integers(1, 5)))
        low, high = solid.vertices.min(0), solid.vertices.max(0)
        width, back = high[0] - low[0], high[1]
        reach = (x if side % 2 == 0 else y) - width - 0.4
        if reach < 0 or high[2] > height:
            continue
        along = rng.uniform(0, reach) + width / 2 + 0.2
        place = ((along, y - back - 0.05), (x - back - 0.05, along), (along, back + 0.05), (back + 0.05, along))[side]
        radius = max(width, high[1] - low[1]) / 2
        if any(math.hypot(place[0] - tx, place[1] - ty) < 0.8 * radius + other for tx, ty, other in taken):
            continue
        taken.append((*place, radius * 0.8))
        kind = "fabric" if make in (furniture.sofa, furniture.bed) else "wood" if rng.random() < 0.6 else "paint"
        stage.add(solid, stage.material(kind), (*place, 0), (0, -math.pi / 2, math.pi, math.pi / 2)[side])
        if make is furniture.cupboard and high[2] < 1.4:
            area = (place[0] - 0.2, place[1] - 0.2, place[0] + 0.2, place[1] + 0.2)
            scatter_small(stage, 4, area, float(high[2]), (0.12, 0.35), [])


def _standing_free(stage: Stage, size: tuple[float, float, float], taken: list[tuple[float, float, float]]) -> None:
    """Tables with chairs and things on them, lamps, plants, boxes and rugs."""
    rng = stage.rng
    inner = (0.9, 0.9, size[0] - 0.9, size[1] - 0.9)
    if rng.random() < 0.5:
        rug = box(rng.uniform(1, 2.5), rng.uniform(1, 2), 0.015) if rng.random() < 0.6 else cylinder(1.0, 0.015, 28)
        stage.add(rug, stage.material("fabric"), (size[0] / 2, size[1] / 2, 0), rng.uniform(0, 3))
    for x, y in stage.free_spots(int(rng.integers(1, 4)), inner, 0.8, taken):
        wide, deep, tall = rng.uniform(0.6, 1.6), rng.uniform(0.5, 1.0), rng.uniform(0.4, 0.8)
        yaw = rng.choice([0.0, math.pi / 2]) + rng.normal(0, 0.1)
        stage.add(furniture.table(rng, wide, deep, tall), stage.material("wood"), (x, y, 0), yaw)
        reach = 0.3 * min(wide, deep)
        scatter_small(
            stage, int(rng.integers(2, 8)), (x - reach, y - reach, x + reach, y + reach), tall, (0.08, 0.3), []
        )
        seat = stage.mesh(furniture.chair(rng), stage.material("wood"))
        for i in range(rng.integers(0, 5)):
            angle = yaw + i * math.pi / 2 + rng.normal(0, 0.2)
            away = 0.45 * (wide if i % 2 else deep) + rng.uniform(0.2, 0.5)
            stage.add(
                seat,
                location=(x - math.sin(angle + math.pi) * away, y + math.cos(angle + math.pi) * away, 0),
                yaw=angle + math.pi,
            )
    for x, y in stage.free_spots(int(rng.integers(0, 5)), (0.4, 0.4, size[0] - 0.4, size[1] - 0.4), 0.35, taken):
        choice = rng.random()
        if choice < 0.3:
            stage.add(furniture.lamp(rng), stage.material("fabric"), (x, y, 0))
        elif choice < 0.65:
            stage.add(furniture.plant(rng), stage.material("leaf"), (x, y, 0))
            stage.add(furniture.pot(rng), stage.material("ceramic"), (x, y, 0))
        else:
            wide = rng.uniform(0.3, 0.7)
            crate = moved(box(wide, wide * 0.8, wide * 0.7), yaw=rng.uniform(0, 3))
            stage.add(crate, stage.material("small"), (x, y, 0))


def add_person(stage: Stage, place: tuple[float, float, float], height: float, yaw: float) -> None:
    """A person with skin, hair and clothes of their own."""
    for part, solid in figures.person(stage.rng, height).items():
        kind = {"skin": "skin", "hair": "fur", "eyes": "glass"}.get(part, "fabric")
        stage.add(solid, stage.material(kind, 6), place, yaw)
