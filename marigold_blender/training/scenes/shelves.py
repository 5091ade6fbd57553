# SPDX-License-Identifier: GPL-3.0-or-later
"""Family `shelves`: filled shelves seen from near or along, racks of goods, and heaps of clutter on a floor."""

from __future__ import annotations

import math

import numpy as np

from .clutter import book, heap, small_thing
from .furniture import shelf_unit
from .light import lamplight
from .rooms import shell
from .solids import box
from .stage import Stage
from .viewpoints import Propose, View, random_lens


def build(stage: Stage) -> Propose:
    """One to three runs of shelves in a room, or heaps of things between walls."""
    rng = stage.rng
    size = (rng.uniform(3, 8), rng.uniform(3, 9), rng.uniform(2.5, 4))
    shell(stage, size)
    lamplight(stage, size)
    if rng.random() < 0.35:
        return _heaps(stage, size)
    rows = int(rng.integers(1, 4))
    gap = rng.uniform(1.0, 1.8)
    deep, tall, levels = rng.uniform(0.28, 0.5), rng.uniform(1.6, size[2] - 0.2), int(rng.integers(3, 7))
    unit = stage.mesh(shelf_unit(1.0, deep, tall, levels), stage.material("wood" if rng.random() < 0.6 else "paint"))
    units = max(2, int(size[0] - 0.6))
    fronts = []
    for row in range(rows):
        y = size[1] - deep / 2 - 0.05 - row * (gap + deep)
        if y < 0.8:
            break
        fronts.append(y - deep / 2)
        skip = rng.uniform(0, 1.2) if row else 0.0
        for i in range(units):
            x = 0.5 + i + skip
            if x > size[0] - 0.5:
                break
            stage.add(unit, location=(x, y, 0))
            _fill(stage, x, y, deep, tall, levels)

    def propose(rng: np.random.Generator) -> View:
        front = fronts[rng.integers(len(fronts))]
        if rng.random() < 0.6:  # towards the goods, square or slanting
            away = rng.uniform(0.4, max(0.6, min(front - 0.2, 3.5)))
            x, z = rng.uniform(0.4, size[0] - 0.4), rng.uniform(0.4, tall)
            eye = (
                float(np.clip(x + rng.normal(0, 0.6) * away, 0.2, size[0] - 0.2)),
                front - away,
                rng.uniform(0.5, 1.9),
            )
            return View(eye, (x, front, z), random_lens(rng, 20, 70), rng.normal(0, 0.02))
        eye = (rng.choice([0.3, size[0] - 0.3]), front - rng.uniform(0.25, 0.8), rng.uniform(0.7, 1.8))
        return View(
            eye, (size[0] - eye[0], front - rng.uniform(-0.1, 0.5), rng.uniform(0.5, 1.6)), random_lens(rng, 18, 40)
        )

    return propose


def _fill(stage: Stage, x: float, y: float, deep: float, tall: float, levels: int) -> None:
    """Books in rows and stacks, or small things, on every board of one unit."""
    rng = stage.rng
    clear = (tall - 0.03) / (levels + 1)
    goods = [small_thing(stage, clear * rng.uniform(0.4, 0.85)) for _ in range(3)]
    covers = [stage.mesh(box(1, 1, 1), stage.material("small", 8)) for _ in range(5)]
    for level in range(levels + 1):
        z = level * clear + 0.03
        choice = rng.random()
        at = -0.45
        while at < 0.42 and choice < 0.93:
            if choice < 0.5:  # books that stand, some lean
                thick, high, out = (
                    rng.uniform(0.015, 0.06),
                    clear * rng.uniform(0.55, 0.9),
                    deep * rng.uniform(0.5, 0.85),
                )
                lean = rng.uniform(0.05, 0.3) if rng.random() < 0.12 else 0.0
                place = (x + at + thick / 2 + lean * high / 2, y + deep / 2 - out / 2 - 0.02, z + high / 2)
                stage.add(covers[rng.integers(5)], location=place, scale=(thick, out, high), tilt=(0.0, lean))
                at += thick + (lean * high if lean else 0.002)
                if rng.random() < 0.05:
                    at += rng.uniform(0.05, 0.3)
            else:
                good = goods[rng.integers(3)]
                wide = float(max(good.vertices[0].co.length, 0.05)) if len(good.vertices) else 0.1
                wide = min(max(wide, 0.08), 0.3)
                if at + wide > 0.45:
                    break
                place = (x + at + wide / 2, y + rng.uniform(-0.25, 0.1) * deep, z)
                stage.add(good, location=place, yaw=rng.uniform(0, 6.3) if rng.random() < 0.5 else 0.0)
                at += wide * rng.uniform(1.1, 2.2)


def _heaps(stage: Stage, size: tuple[float, float, float]) -> Propose:
    """Heaps of things and stacks of boxes on the floor."""
    rng = stage.rng
    centres = [(rng.uniform(0.8, size[0] - 0.8), rng.uniform(0.8, size[1] - 0.8)) for _ in range(rng.integers(2, 5))]
    for centre in centres:
        spread = rng.uniform(0.4, 1.2)
        heap(stage, int(rng.integers(15, 45)), centre, spread, (0.15, 0.2 + 0.3 * spread))
        if rng.random() < 0.5:
            stack = stage.mesh(book(rng, 0.3), stage.material("small", 6))
            for i in range(rng.integers(3, 14)):
                thick = max(vertex.co.z for vertex in stack.vertices)
                stage.add(stack, location=(centre[0] + 0.9, centre[1], i * thick), yaw=rng.normal(0, 0.2))

    def propose(rng: np.random.Generator) -> View:
        x, y = centres[rng.integers(len(centres))]
        angle, away = rng.uniform(0, 2 * math.pi), rng.uniform(0.8, 3.5)
        eye = (
            float(np.clip(x + math.cos(angle) * away, 0.2, size[0] - 0.2)),
            float(np.clip(y + math.sin(angle) * away, 0.2, size[1] - 0.2)),
            rng.uniform(0.3, 2.0),
        )
        return View(eye, (x, y, rng.uniform(0, 0.5)), random_lens(rng, 20, 60), rng.normal(0, 0.05))

    return propose
