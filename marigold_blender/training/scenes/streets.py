# SPDX-License-Identifier: GPL-3.0-or-later
"""Family `streets`: roads between buildings, squares before temples and towers, with cars, trees, lamps and people."""

from __future__ import annotations

import math

import numpy as np

from .light import daylight
from .nature import mountains, plant_trees
from .rooms import add_person
from .solids import Solid, box, cylinder, gable, join, lathe, moved, sheet, stairs
from .stage import Stage
from .viewpoints import Propose, View, random_lens


def build(stage: Stage) -> Propose:
    """A street along +Y with buildings on both sides, or a square (x, y around the origin) with one great building."""
    rng = stage.rng
    daylight(stage)
    width = rng.uniform(5, 22)
    side = rng.uniform(1.5, 5)
    stage.add(box(600, 600, 0.1, bottom=-0.1), stage.material("road"))
    stage.add_plane("ground", (0, 0, 0), (0, 0, 1))
    square = rng.random() < 0.4
    if square:
        _great_building(stage, (0, rng.uniform(40, 75), 0))
    kerb = stage.material("road", 2)
    for s in (-1, 1):
        stage.add(box(side, 300, 0.15, (s * (width + side) / 2, 120)), kerb)
        y = rng.uniform(-25, -5) + (rng.uniform(40, 90) if square else 0)
        while y < 160:
            front = rng.uniform(6, 20)
            if rng.random() < 0.85:
                set_back = width / 2 + side + rng.uniform(0, 1.5)
                building(stage, s * set_back, y + front / 2, s, front)
            y += front + (rng.uniform(1, 10) if rng.random() < 0.3 else 0)
    if rng.random() < 0.3:
        mountains(stage, 280, rng.uniform(10, 60))
    _street_life(stage, width, side)

    def propose(rng: np.random.Generator) -> View:
        low = rng.random() < 0.75
        eye = (
            rng.uniform(-0.5, 0.5) * (width + side),
            rng.uniform(-10, 30),
            rng.uniform(0.8, 2.5) if low else rng.uniform(4, 18),
        )
        ahead = rng.uniform(8, 60)
        aim = rng.uniform(0.5, 5) if low else rng.uniform(-2, eye[2])
        return View(
            eye, (rng.normal(0, 0.35) * ahead, eye[1] + ahead, aim), random_lens(rng, 18, 70), rng.normal(0, 0.02)
        )

    return propose


def building(stage: Stage, x: float, y: float, side: int, front: float) -> None:
    """A house of several floors whose front, `front` metres wide, stands at x and faces the street."""
    rng = stage.rng
    floors = int(rng.integers(1, 9))
    floor_height = rng.uniform(2.7, 4)
    high, deep = floors * floor_height, rng.uniform(6, 14)
    place, yaw = (x, y, 0.0), side * math.pi / 2  # local -Y looks to the street
    body = box(front, deep, high, (0, deep / 2 * 1.0))
    stage.add(body, stage.material("facade", 5), place, -yaw)
    columns = max(1, int(front / rng.uniform(1.6, 3.2)))
    wide, tall = front / columns * rng.uniform(0.35, 0.75), floor_height * rng.uniform(0.4, 0.7)
    sunk = rng.uniform(-0.05, 0.08)
    panes: list[Solid] = []
    trims: list[Solid] = []
    for i in range(columns):
        cx = (i + 0.5) / columns * front - front / 2
        for j in range(floors):
            low = j * floor_height + floor_height * 0.25
            if j == 0 and rng.random() < 0.3:
                low, shown = 0.0, floor_height * 0.8
            else:
                shown = tall
            panes.append(box(wide, 0.1, shown, (cx, -0.02 - sunk), low))
            trims.append(box(wide * 1.15, 0.3, 0.1, (cx, -0.05), low - 0.1))
    stage.add(join(panes), stage.material("glass"), place, -yaw)
    if rng.random() < 0.7:
        if rng.random() < 0.3:
            trims += [box(front, 0.7, 0.15, (0, -0.35), j * floor_height) for j in range(1, floors)]
        trims.append(box(front, 0.5, 0.4, (0, -0.1), high - 0.3))
        stage.add(join(trims), stage.material("facade", 5), place, -yaw)
    if rng.random() < 0.5:
        roof = moved(gable(front + 0.6, deep + 0.8, rng.uniform(1.5, 4), high), (0, deep / 2, 0))
        stage.add(roof, stage.material("roof"), place, -yaw)
    if rng.random() < 0.3:
        across, out = np.meshgrid([-0.4 * front, 0.4 * front], [0.0, -1.4])
        awning = sheet(across, out, 2.9 + 0.4 * out)
        stage.add(awning, stage.material("fabric", 4), place, -yaw)


def _great_building(stage: Stage, place: tuple[float, float, float]) -> None:
    """A pagoda, temple, church or hall that a visitor would photograph."""
    rng = stage.rng
    choice = rng.random()
    wall, roof = stage.material("facade"), stage.material("roof")
    wide = rng.uniform(8, 22)
    base = rng.uniform(0.3, 3)
    stage.add(box(wide * 1.4, wide * 1.2, base), wall, place)
    flight = stairs(wide * 0.4, max(2, int(base / 0.17)), 0.17, 0.3)
    stage.add(moved(flight, (0, -wide * 0.6 - max(2, int(base / 0.17)) * 0.3, 0)), wall, place)
    x, y, _ = place
    if choice < 0.5:
        level, span = base, wide
        for _ in range(int(rng.integers(1, 6))):
            tall = span * rng.uniform(0.25, 0.45)
            stage.add(box(span, span * 0.8, tall), stage.material("facade"), (x, y, level))
            posts = [box(0.4, 0.4, tall, (sx * span * k, -span * 0.45)) for sx in (-1, 1) for k in (0.15, 0.3, 0.5)]
            stage.add(join(posts), stage.material("paint"), (x, y, level))
            level += tall
            stage.add(curved_roof(span * 1.35, span * 1.15, span * 0.28), roof, (x, y, level))
            level += span * 0.18
            span *= rng.uniform(0.65, 0.85)
    elif choice < 0.75:
        tall = wide * rng.uniform(0.5, 0.9)
        column = stage.mesh(cylinder(wide * 0.04, tall, 16), wall)
        count = int(rng.integers(4, 9))
        for i in range(count):
            stage.add(column, location=(x + wide * (i / (count - 1) - 0.5), y - wide * 0.5, base))
        stage.add(box(wide * 0.95, wide * 0.8, tall), wall, (x, y, base))
        stage.add(box(wide * 1.1, wide * 1.1, tall * 0.12), wall, (x, y, base + tall))
        pediment = moved(gable(wide * 1.1, wide * 1.1, wide * 0.2), yaw=math.pi / 2)
        stage.add(pediment, roof, (x, y, base + tall * 1.12))
    else:
        tall = wide * rng.uniform(0.6, 1.0)
        stage.add(box(wide, wide * 1.5, tall, (0, wide * 0.4)), wall, (x, y, base))
        nave = moved(gable(wide * 1.5, wide * 1.1, wide * 0.5), (0, wide * 0.4, 0))
        stage.add(moved(nave, yaw=math.pi / 2, offset=(wide * 0.4, 0, 0)), roof, (x, y, base + tall))
        for s in (-1, 1):
            spire = join(
                [
                    box(wide * 0.3, wide * 0.3, tall * 1.7),
                    moved(cylinder(wide * 0.21, wide, 4, 0.01), (0, 0, tall * 1.7), math.pi / 4),
                ]
            )
            stage.add(spire, wall, (x + s * wide * 0.5, y - wide * 0.3, base))
        dome = [(math.cos(a) * wide * 0.4, math.sin(a) * wide * 0.4) for a in np.linspace(0, math.pi / 2, 8)]
        stage.add(lathe(dome, 24), roof, (x, y + wide * 0.5, base + tall))


def curved_roof(width: float, depth: float, height: float) -> Solid:
    """A hipped roof whose slopes sag and whose corners turn up, as on a pagoda."""
    angles = np.linspace(0, 2 * np.pi, 41)
    square = np.maximum(abs(np.cos(angles)), abs(np.sin(angles)))
    rim_x, rim_y = np.cos(angles) / square * width / 2, np.sin(angles) / square * depth / 2
    corner = (1 / square - 1) / (math.sqrt(2) - 1)
    rows = []
    for t in np.linspace(0, 1, 7):
        lift = height * t**1.7 + corner * height * 0.35 * (1 - t) ** 3
        rows.append((rim_x * (1 - 0.93 * t), rim_y * (1 - 0.93 * t), lift))
    rows.insert(0, (rim_x * 0.96, rim_y * 0.96, rows[0][2] - 0.06 * height))
    rows.insert(0, (rim_x * 0.5, rim_y * 0.5, np.full(41, -0.02 * height)))
    return sheet(*np.stack(rows, 1))


def car(rng: np.random.Generator) -> tuple[Solid, Solid, Solid]:
    """Body, windows and wheels of a car or van along X, on z = 0."""
    long, wide, tall = rng.uniform(3.4, 5.2), rng.uniform(1.6, 2.0), rng.uniform(1.3, 2.2)
    belt = tall * 0.55
    top = long * rng.uniform(0.45, 0.8)
    shift = rng.uniform(-0.08, 0.05) * long
    cabin = [(-top / 2 + shift, belt), (top / 2 + shift, belt), (top * 0.32 + shift, tall), (-top * 0.4 + shift, tall)]
    inset = wide / 2 * 0.92
    vertices = np.array([(x, s * inset, z) for s in (-1, 1) for x, z in cabin])
    glass = Solid(vertices, ((0, 1, 2, 3), (7, 6, 5, 4), (1, 5, 6, 2), (0, 3, 7, 4), (3, 2, 6, 7)))
    wheel = moved(cylinder(0.33, 0.22, 16), (0, 0, 0))
    turned = Solid(wheel.vertices[:, [0, 2, 1]] * (1, 1, 1) + (0, -0.11, 0.33), wheel.faces)
    wheels = [moved(turned, (sx * long * 0.32, sy * wide * 0.45, 0)) for sx in (-1, 1) for sy in (-1, 1)]
    return (
        join([box(long, wide, belt - 0.25, bottom=0.25), box(top * 0.7, inset * 1.9, 0.06, (shift, 0), tall - 0.03)]),
        glass,
        join(wheels),
    )


def _street_life(stage: Stage, width: float, side: float) -> None:
    """Cars along the kerb and on the road, trees, lamps, people."""
    rng = stage.rng
    rubber = stage.material("glass", 1)
    for _ in range(rng.integers(0, 10)):
        body, glass, wheels = car(rng)
        lane = rng.choice([-1, 1]) * width * rng.choice([0.5, 0.22])
        place = (lane * (1 - 1.0 / max(width / 2, 2)), rng.uniform(0, 70), 0)
        yaw = math.pi / 2 + rng.normal(0, 0.05)
        stage.add(body, stage.material("paint", 5), place, yaw)
        stage.add(glass, rubber, place, yaw)
        stage.add(wheels, rubber, place, yaw)
    edge = width / 2 + side * 0.3
    if rng.random() < 0.5:
        pitch = rng.uniform(5, 15)
        plant_trees(stage, [(s * edge, i * pitch, 0.1) for i in range(12) for s in (-1, 1)], (3, 9), 2)
    if rng.random() < 0.6:
        high = rng.uniform(3.5, 8)
        lamp = join([cylinder(0.08, high, 8), box(1.2, 0.2, 0.12, (0.4, 0), high)])
        mesh = stage.mesh(lamp, stage.material("metal"))
        for i in range(8):
            for s in (-1, 1):
                stage.add(mesh, location=(s * edge, i * rng.uniform(12, 22), 0.1), yaw=0 if s < 0 else math.pi)
    for _ in range(rng.integers(0, 9)):
        spot = (rng.choice([-1, 1]) * (width / 2 + side * rng.uniform(-0.5, 0.9)), rng.uniform(-5, 45), 0.1)
        add_person(stage, spot, rng.uniform(1.5, 1.9), rng.uniform(0, 6.3))
