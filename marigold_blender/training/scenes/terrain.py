# SPDX-License-Identifier: GPL-3.0-or-later
"""Family `terrain`: open ground with hills, rocks, trees, water, huts, towers, animals and people under the sky."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from . import figures, nature
from .light import daylight
from .rooms import add_person
from .solids import box, cylinder, gable, hills, join, lathe, moved, sheet
from .stage import Stage
from .viewpoints import Propose, View, random_lens

REACH_M = 400.0


def build(stage: Stage) -> Propose:
    """Ground around the origin, finer near it, with things that get sparser outwards."""
    rng = stage.rng
    daylight(stage)
    ground = _ground(stage)
    scale = math.exp(rng.uniform(math.log(4), math.log(50)))  # how far off the things of interest stand

    def spots(count: int, reach: float, clear: float = 0.0) -> list[tuple[float, float, float]]:
        angles = rng.uniform(0, 2 * math.pi, count)
        away = clear + reach * rng.uniform(0, 1, count) ** 0.7
        return [
            (a * math.cos(t), a * math.sin(t), ground(a * math.cos(t), a * math.sin(t)))
            for a, t in zip(away, angles, strict=True)
        ]

    _grow(stage, spots, scale)
    _settle(stage, spots, ground, scale)

    def propose(rng: np.random.Generator) -> View:
        angle, away = rng.uniform(0, 2 * math.pi), rng.uniform(0, 0.7) * scale
        x, y = away * math.cos(angle), away * math.sin(angle)
        above = rng.uniform(0.3, 2.2) if rng.random() < 0.7 else rng.uniform(2.5, 0.6 * scale + 4)
        towards = rng.uniform(0, 2 * math.pi)
        ahead = scale * rng.uniform(0.3, 2)
        target = (x + math.cos(towards) * ahead, y + math.sin(towards) * ahead)
        aim = ground(*target) + rng.uniform(-0.1, 0.25) * ahead * (0.4 if above < 2.5 else 0.1)
        return View((x, y, ground(x, y) + above), (*target, aim), random_lens(rng), rng.normal(0, 0.02))

    return propose


Spots = Callable[..., list[tuple[float, float, float]]]


def _grow(stage: Stage, spots: Spots, scale: float) -> None:
    """Trees, rocks, bushes, grass and a ring of mountains."""
    rng = stage.rng
    if rng.random() < 0.75:
        nature.plant_trees(stage, spots(int(rng.integers(3, 60)), scale * 3, scale * 0.4), (2.5, 14))
    if rng.random() < 0.6:
        nature.rocks(stage, spots(int(rng.integers(5, 40)), scale * 2), (0.05 * scale**0.5, 0.4 * scale**0.5))
    if rng.random() < 0.5:
        nature.bushes(stage, spots(int(rng.integers(3, 25)), scale * 2, 2), (0.4, 1.6))
    if rng.random() < 0.6:
        nature.grass_tufts(stage, spots(int(rng.integers(40, 160)), min(scale, 15)), (0.15, 0.6))
    if rng.random() < 0.6:
        nature.mountains(stage, rng.uniform(150, 380), rng.uniform(8, 90))


def _settle(stage: Stage, spots: Spots, ground: Callable[[float, float], float], scale: float) -> None:
    """People, animals, huts, towers, a fence."""
    rng = stage.rng
    for place in spots(int(rng.integers(0, 4)), scale, 2):
        add_person(stage, place, rng.uniform(1.5, 1.9), rng.uniform(0, 6.3))
    for place in spots(int(rng.integers(0, 4)), scale, 2):
        for part, solid in figures.animal(rng, rng.uniform(0.5, 2.2)).items():
            stage.add(solid, stage.material("glass" if part == "eyes" else "fur", 3), place, rng.uniform(0, 6.3))
    for place in spots(int(rng.integers(0, 3)), scale * 2, 6):
        (hut if rng.random() < 0.6 else tower)(stage, place)
    if rng.random() < 0.35:
        fence(stage, ground, scale)


def _ground(stage: Stage) -> Callable[[float, float], float]:
    """The ground's surface; returns its height at a place (by bilinear interpolation of the mesh)."""
    rng = stage.rng
    steps = np.linspace(-1, 1, 129)
    axis = np.sign(steps) * (np.abs(steps) ** 2.5) * REACH_M
    x, y = np.meshgrid(axis, axis)
    flat = rng.random() < 0.3
    z = hills(rng, x, y, 0.0 if flat else math.exp(rng.uniform(-1.2, 2.3)), rng.uniform(40, 160))
    z += hills(rng, x, y, rng.uniform(0.01, 0.25), rng.uniform(3, 12))
    kind = "snow" if rng.random() < 0.08 else "road" if flat and rng.random() < 0.3 else "ground"
    stage.add(sheet(x, y, z), stage.material(kind))
    if flat:
        stage.add_plane("ground", (0, 0, float(z.mean())), (0, 0, 1))
    if rng.random() < 0.3:
        level = float(np.percentile(z[40:90, 40:90], rng.uniform(10, 50)))
        water = box(2 * REACH_M, 2 * REACH_M, 0.1, bottom=level - 0.1)
        stage.add(water, stage.material("water"))
        stage.add_plane("water", (0, 0, level), (0, 0, 1))
        z = np.maximum(z, level)

    def height(px: float, py: float) -> float:
        i = int(np.clip(np.searchsorted(axis, px) - 1, 0, len(axis) - 2))
        j = int(np.clip(np.searchsorted(axis, py) - 1, 0, len(axis) - 2))
        u = (px - axis[i]) / (axis[i + 1] - axis[i])
        v = (py - axis[j]) / (axis[j + 1] - axis[j])
        low = z[j, i] * (1 - u) + z[j, i + 1] * u
        high = z[j + 1, i] * (1 - u) + z[j + 1, i + 1] * u
        return float(low * (1 - v) + high * v)

    return height


def hut(stage: Stage, place: tuple[float, float, float]) -> None:
    """A small house with a ridge roof, door and windows."""
    rng = stage.rng
    wide, deep, high = rng.uniform(3, 10), rng.uniform(3, 7), rng.uniform(2.2, 5)
    yaw = rng.uniform(0, 6.3)
    stage.add(box(wide, deep, high + 1, bottom=-1), stage.material("facade"), place, yaw)
    roof = gable(wide + 0.8, deep + 0.8, rng.uniform(0.8, 3), high, rng.choice([0.0, 0.4]))
    stage.add(roof, stage.material("roof"), place, yaw)
    openings = [box(1.0, 0.1, 2.0, (rng.uniform(-0.3, 0.3) * wide, s * deep / 2)) for s in (-1, 1)]
    openings += [box(0.8, 0.1, 0.9, (k * wide, s * deep / 2), 1.0) for k in (-0.35, 0.35) for s in (-1, 1)]
    openings += [box(0.1, 0.8, 0.9, (s * wide / 2, 0), 1.0) for s in (-1, 1)]
    stage.add(join(openings), stage.material("glass"), place, yaw)


def tower(stage: Stage, place: tuple[float, float, float]) -> None:
    """A lighthouse, rocket, chimney, mast or water tower: something tall and thin against the sky."""
    rng = stage.rng
    high = rng.uniform(6, 45)
    wide = high * rng.uniform(0.03, 0.12)
    choice = rng.random()
    if choice < 0.4:
        nose = [(wide, high * 0.75), (wide * 0.6, high * 0.9), (0.0, high)]
        stage.add(lathe([(wide, 0), *nose], 24, smooth=False), stage.material("paint"), place)
        fins = [moved(box(wide * 1.2, 0.1, high * 0.15, (wide * 1.2, 0)), yaw=i * math.pi / 2) for i in range(4)]
        stage.add(join(fins), stage.material("paint"), place)
    elif choice < 0.7:
        legs = [box(wide * 0.12, wide * 0.12, high, (sx * wide, sy * wide)) for sx in (-1, 1) for sy in (-1, 1)]
        floors = [box(2 * wide, 2 * wide, wide * 0.1, bottom=z) for z in np.arange(0, high, 2.5 * wide)]
        stage.add(join(legs + floors), stage.material("metal"), place)
    else:
        stage.add(cylinder(wide, high, 18, wide * rng.uniform(0.4, 1.0)), stage.material("facade"), place)
        stage.add(cylinder(wide * 1.5, wide * 1.2, 18), stage.material("roof"), (*place[:2], place[2] + high))


def fence(stage: Stage, ground: Callable[[float, float], float], scale: float) -> None:
    """A row of posts with rails that follows the ground."""
    rng = stage.rng
    post = stage.mesh(box(0.1, 0.1, 1.3, bottom=-0.2), stage.material("wood"))
    pitch, count = rng.uniform(1.2, 2.5), 30
    angle, offset = rng.uniform(0, 6.3), rng.uniform(2, 0.6 * scale + 3)
    for i in range(count):
        along = (i - count / 2) * pitch
        x = math.cos(angle) * along - math.sin(angle) * offset
        y = math.sin(angle) * along + math.cos(angle) * offset
        z = ground(x, y)
        stage.add(post, location=(x, y, z))
        nx, ny = x + math.cos(angle) * pitch, y + math.sin(angle) * pitch
        slope = math.atan2(ground(nx, ny) - z, pitch)
        rail = box(pitch / math.cos(slope), 0.04, 0.1, (pitch / 2, 0))
        for level in (0.45, 0.9):
            stage.add(rail, stage.material("wood", 1), (x, y, z + level), angle, tilt=(0.0, -slope))
