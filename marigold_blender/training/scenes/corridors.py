# SPDX-License-Identifier: GPL-3.0-or-later
"""Family `corridors`: long halls with doors, pillars and arches, and flights of stairs up and down.

This is the family that the demo checkpoint never trains on: it measures how far learning reaches.
"""

from __future__ import annotations

import math

import numpy as np

from .clutter import scatter_small
from .light import lamplight
from .rooms import add_person
from .solids import box, cylinder, moved, stairs, wall
from .stage import Stage
from .viewpoints import Propose, View, random_lens


def build(stage: Stage) -> Propose:
    """A hall along +Y with its corner at the origin, and stairs at its end or along its side."""
    rng = stage.rng
    width, length, height = rng.uniform(1.4, 6), rng.uniform(8, 35), rng.uniform(2.3, 5)
    size = (width, length, height)
    stage.add(box(width, length, 0.1, (width / 2, length / 2), -0.1), stage.material("floor"))
    stage.add(box(width, length, 0.1, (width / 2, length / 2), height), stage.material("wall"))
    stage.add_plane("floor", (0, 0, 0), (0, 0, 1))
    stage.add_plane("ceiling", (0, 0, height), (0, 0, -1))
    stage.add_plane("left", (0, 0, 0), (1, 0, 0))
    stage.add_plane("right", (width, 0, 0), (-1, 0, 0))
    paint = stage.material("wall")
    for start, end in (((0, 0), (0, length)), ((width, length), (width, 0)), ((width, 0), (0, 0))):
        stage.add(wall(start, end, height), paint)
    lamplight(stage, size)
    _openings(stage, width, length, height)
    climbs = _far_end(stage, width, length, height)
    if rng.random() < 0.5:
        _ribs(stage, width, length, height)
    for _ in range(rng.integers(0, 3)):
        place = (rng.uniform(0.4, width - 0.4), rng.uniform(2, length - 1), 0)
        add_person(stage, place, rng.uniform(1.5, 1.9), rng.uniform(0, 6.3))
    scatter_small(stage, int(rng.integers(0, 10)), (0.2, 1, width - 0.2, length - 1), 0.0, (0.2, 0.6), [])

    def propose(rng: np.random.Generator) -> View:
        eye = (
            rng.uniform(0.25, 0.75) * width,
            rng.uniform(0.3, 0.5 * length),
            rng.uniform(0.8, min(2.0, height - 0.4)),
        )
        across = rng.uniform(-0.3, 1.3) * width
        ahead = eye[1] + rng.uniform(2, 12)
        up = rng.uniform(0.2, 2.5) if climbs else rng.uniform(0.3, 1.8)
        return View(eye, (across, ahead, up), random_lens(rng, 18, 50), rng.normal(0, 0.02))

    return propose


def _openings(stage: Stage, width: float, length: float, height: float) -> None:
    """Doors and notice boards along both sides, lamps along the ceiling."""
    rng = stage.rng
    pitch = rng.uniform(1.8, 5)
    leaf, frame = stage.material("wood"), stage.material("wood")
    door_frame = stage.mesh(box(0.1, 1.1, 2.15), frame)
    door = stage.mesh(box(0.14, 0.9, 2.05), leaf)
    board = stage.mesh(box(0.06, rng.uniform(0.5, 1.4), 0.8, bottom=1.0), stage.material("picture"))
    tube_lamp = stage.mesh(box(0.25, 1.2, 0.06), stage.material("metal"))
    for i in range(int(length / pitch)):
        y = (i + 0.6) * pitch
        for x in (0.0, width):
            choice = rng.random()
            if choice < 0.6:
                stage.add(door_frame, location=(x, y, 0))
                stage.add(door, location=(x, y, 0))
            elif choice < 0.8:
                stage.add(board, location=(x, y, 0))
        stage.add(tube_lamp, location=(width / 2, y, height - 0.08))


def _far_end(stage: Stage, width: float, length: float, height: float) -> bool:
    """What closes the hall: a wall, a turn, or stairs; tells whether stairs climb."""
    rng = stage.rng
    choice = rng.random()
    if choice < 0.35:
        stage.add(wall((0, length), (width, length), height), stage.material("wall"))
        stage.add(box(1.2, 0.1, 2.1, (width / 2, length - 0.05)), stage.material("paint"))
        return False
    steps, rise, going = int(rng.integers(6, 16)), rng.uniform(0.14, 0.2), rng.uniform(0.24, 0.34)
    wide = width * rng.uniform(0.5, 1.0)
    start = length * rng.uniform(0.15, 0.75)
    flight = stairs(wide, steps, rise, going)
    side = rng.choice([wide / 2, width - wide / 2])
    stage.add(flight, stage.material("floor"), (side, start, 0))
    landing = steps * going + start
    rest = max(length - landing, 0.5)
    stage.add(box(wide, rest, steps * rise, (side, landing + rest / 2)), stage.material("floor"))
    stage.add(wall((0, length), (width, length), height + 3), stage.material("wall"))
    rail = stage.mesh(cylinder(0.025, 0.9, 8), stage.material("metal"))
    for i in range(steps):
        stage.add(rail, location=(side - wide / 2 + 0.05, start + (i + 0.5) * going, (i + 1) * rise))
    slope = math.atan2(rise, going)
    bar = moved(box(0.05, steps * math.hypot(rise, going), 0.05), (0, steps * math.hypot(rise, going) / 2, 0))
    stage.add(bar, stage.material("wood"), (side - wide / 2 + 0.05, start, 0.9 + rise), tilt=(slope, 0))
    return True


def _ribs(stage: Stage, width: float, length: float, height: float) -> None:
    """Pillars or frames that repeat along the hall."""
    rng = stage.rng
    pitch, deep = rng.uniform(2, 6), rng.uniform(0.15, 0.5)
    material = stage.material("facade")
    round_one = rng.random() < 0.4
    pillar = cylinder(deep / 2, height, 16) if round_one else box(deep, deep, height)
    mesh = stage.mesh(pillar, material)
    beam = stage.mesh(box(width, deep, deep, (width / 2, 0), height - deep), material)
    for i in range(1, int(length / pitch)):
        for x in (deep / 2, width - deep / 2):
            stage.add(mesh, location=(x, i * pitch, 0))
        if not round_one:
            stage.add(beam, location=(0, i * pitch, 0))
