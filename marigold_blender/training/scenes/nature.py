# SPDX-License-Identifier: GPL-3.0-or-later
"""Trees, bushes, rocks, grass and far mountains for the outdoor families."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .solids import Solid, blob, join, moved, sheet, tube
from .stage import Stage


def tree_meshes(stage: Stage) -> tuple[Any, Any]:
    """Trunk and crown of one tree about 1 m tall, to be scaled: a conifer, a broad-leaved tree or a palm."""
    rng = stage.rng
    kind = rng.random()
    if kind < 0.35:
        trunk, crown = _conifer(rng)
    elif kind < 0.9:
        trunk, crown = _broadleaf(rng)
    else:
        trunk, crown = _palm(rng)
    return stage.mesh(trunk, stage.material("bark")), stage.mesh(crown, stage.material("leaf"))


def _conifer(rng: np.random.Generator) -> tuple[Solid, Solid]:
    trunk = tube(np.array([(0, 0, -0.1), (0, 0, 0.5), (0, 0, 0.9)]), np.array([0.03, 0.025, 0.01]))
    tiers = int(rng.integers(4, 8))
    parts = []
    for i in range(tiers):
        low = 0.15 + 0.8 * i / tiers
        wide = 0.24 * (1 - i / tiers) + 0.04
        angles = np.linspace(0, 2 * np.pi, 19)
        ragged = wide * (1 + 0.25 * rng.uniform(-1, 1, 19))
        ragged[-1] = ragged[0]
        rim = np.stack([ragged * np.cos(angles), ragged * np.sin(angles), np.full(19, low)])
        tip = np.stack([np.zeros(19), np.zeros(19), np.full(19, low + 1.6 / tiers * 0.6)])
        parts.append(sheet(*np.stack([rim, tip], 1), smooth=False))
    return trunk, join(parts)


def _broadleaf(rng: np.random.Generator) -> tuple[Solid, Solid]:
    """A trunk that forks, with lumps of foliage and loose leaves at the lumps' rim."""
    fork = rng.uniform(0.2, 0.5)
    bare = rng.random() < 0.15
    parts = [tube(np.array([(0, 0, -0.1), (rng.normal(0, 0.02), 0, fork)]), np.array([0.045, 0.03]))]
    lumps, leaves = [], []
    for _ in range(int(rng.integers(4, 9))):
        angle, lean = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.32)
        end = np.array([lean * math.cos(angle), lean * math.sin(angle), rng.uniform(0.55, 0.95)])
        middle = end * (0.5, 0.5, 0) + (0, 0, fork + 0.45 * (end[2] - fork))
        parts.append(tube(np.array([(0, 0, fork - 0.03), middle, end]), np.array([0.022, 0.014, 0.006])))
        if not bare:
            size = rng.uniform(0.1, 0.2)
            lumps.append(moved(blob(rng, size, 0.3, 14), end))
            leaves.append(_loose_leaves(rng, end, size * 1.15, 45))
    return join(parts), join(lumps + leaves) if lumps else parts[-1]


def _loose_leaves(rng: np.random.Generator, centre: np.ndarray, radius: float, count: int) -> Solid:
    """Small triangles around a ball: what gives foliage its ragged outline."""
    outward = rng.normal(size=(count, 3))
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    middle = centre + outward * radius * rng.uniform(0.85, 1.15, (count, 1))
    corners = middle[:, None] + rng.normal(0, radius * 0.13, (count, 3, 3))
    return Solid(corners.reshape(-1, 3), tuple((3 * i, 3 * i + 1, 3 * i + 2) for i in range(count)), smooth=True)


def _palm(rng: np.random.Generator) -> tuple[Solid, Solid]:
    lean = rng.uniform(-0.15, 0.15, 2)
    trunk = tube(np.array([(0, 0, -0.05), (*(lean * 0.4), 0.5), (*lean, 0.85)]), np.array([0.035, 0.025, 0.022]))
    along, across = np.meshgrid(np.linspace(0, 1, 7), np.array([-1.0, 0.0, 1.0]))
    fronds = []
    for i in range(11):
        drop = rng.uniform(0.1, 0.4)
        wide = 0.05 * np.sin(np.pi * np.clip(along, 0.05, 0.98))
        frond = sheet(across * wide, along * 0.4, 0.15 * along - drop * along**2 - 0.03 * abs(across))
        fronds.append(moved(frond, (*lean, 0.85), yaw=2 * np.pi * i / 11 + rng.uniform(-0.2, 0.2)))
    return trunk, join(fronds)


def plant_trees(
    stage: Stage, spots: list[tuple[float, float, float]], height: tuple[float, float], kinds: int = 3
) -> None:
    """A tree on each of `spots` (x, y, ground z), `height` range in metres; a few shapes are shared."""
    shapes = [tree_meshes(stage) for _ in range(kinds)]
    for x, y, z in spots:
        tall, yaw = stage.rng.uniform(*height), stage.rng.uniform(0, 2 * math.pi)
        wide = tall * stage.rng.uniform(0.7, 1.3)
        for mesh in shapes[stage.rng.integers(kinds)]:
            stage.add(mesh, location=(x, y, z), yaw=yaw, scale=(wide, wide, tall))


def rocks(stage: Stage, spots: list[tuple[float, float, float]], size: tuple[float, float]) -> None:
    """A rock on each of `spots`, half sunk."""
    shapes = [
        stage.mesh(blob(stage.rng, 1.0, stage.rng.uniform(0.15, 0.45), 16), stage.material("rock")) for _ in range(3)
    ]
    for x, y, z in spots:
        s = stage.rng.uniform(*size)
        scale = tuple(s * stage.rng.uniform(0.6, 1.4, 3))
        stage.add(shapes[stage.rng.integers(3)], location=(x, y, z), yaw=stage.rng.uniform(0, 6.3), scale=scale)


def bushes(stage: Stage, spots: list[tuple[float, float, float]], size: tuple[float, float]) -> None:
    """A bush of leafy lumps on each of `spots`."""
    rng = stage.rng
    shapes = []
    for _ in range(2):
        lumps = []
        for _ in range(5):
            place = np.array([*rng.normal(0, 0.5, 2), rng.uniform(0.2, 0.8)])
            lumps += [moved(blob(rng, 0.5, 0.3, 12), place), _loose_leaves(rng, place, 0.6, 50)]
        shapes.append(stage.mesh(join(lumps), stage.material("leaf")))
    for x, y, z in spots:
        stage.add(shapes[rng.integers(2)], location=(x, y, z), yaw=rng.uniform(0, 6.3), scale=rng.uniform(*size))


def grass_tufts(stage: Stage, spots: list[tuple[float, float, float]], height: tuple[float, float]) -> None:
    """Blades of grass, reed or flowers in clumps, shared among all spots."""
    rng = stage.rng
    count = 60
    foot = rng.normal(0, 0.35, (count, 2))
    lean = rng.normal(0, 0.25, (count, 2))
    tall = rng.uniform(0.4, 1.0, count)
    across = rng.normal(0, 1, (count, 2))
    across /= np.linalg.norm(across, axis=1, keepdims=True) / 0.03
    zero = np.zeros((count, 1))
    corners = np.stack(
        [
            np.hstack([foot - across, zero]),
            np.hstack([foot + across, zero]),
            np.hstack([foot + lean, tall[:, None]]),
        ],
        1,
    )
    clump = Solid(corners.reshape(-1, 3), tuple((3 * i, 3 * i + 1, 3 * i + 2) for i in range(count)))
    mesh = stage.mesh(clump, stage.material("leaf"))
    for x, y, z in spots:
        stage.add(mesh, location=(x, y, z), yaw=rng.uniform(0, 6.3), scale=rng.uniform(*height))


def mountains(stage: Stage, distance: float, height: float) -> None:
    """A ring of ridges at `distance` metres around the origin."""
    rng = stage.rng
    angles = np.linspace(0, 2 * np.pi, 121)
    material = stage.material("snow" if rng.random() < 0.25 else "rock" if rng.random() < 0.5 else "leaf")
    ridge = np.zeros_like(angles)
    for k in range(2, 24):
        ridge += np.sin(k * angles + rng.uniform(0, 6.3)) / k**1.1
    ridge = height * np.clip(0.4 + 0.4 * ridge, 0.02, None)
    ridge[-1] = ridge[0]
    rows = []
    for share, lift in ((0.75, -0.05), (0.9, 0.55), (1.0, 1.0)):
        wobble = 1 + 0.03 * np.sin(angles * 17 + rng.uniform(0, 6.3))
        rows.append(
            (np.cos(angles) * distance * share * wobble, np.sin(angles) * distance * share * wobble, ridge * lift)
        )
    stage.add(sheet(*np.stack(rows, 1), smooth=False), material)
