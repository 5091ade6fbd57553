# SPDX-License-Identifier: GPL-3.0-or-later
"""Furniture-like solids for rooms, corridors and shelves. Each stands on z = 0 around the origin, front towards -Y."""

from __future__ import annotations

import math

import numpy as np

from .solids import Solid, box, cylinder, join, lathe, moved, sheet, tilted


def table(rng: np.random.Generator, width: float, depth: float, height: float) -> Solid:
    """A round or square top on four legs or one."""
    thick = rng.uniform(0.02, 0.08)
    if rng.random() < 0.3:
        top = moved(cylinder(min(width, depth) / 2, thick, 24), (0, 0, height - thick))
        return join([top, cylinder(0.05, height, 10), cylinder(min(width, depth) / 4, 0.03, 16)])
    leg = rng.uniform(0.03, 0.1)
    x, y = width / 2 - leg, depth / 2 - leg
    legs = [box(leg, leg, height - thick, (sx * x, sy * y)) for sx in (-1, 1) for sy in (-1, 1)]
    return join([box(width, depth, thick, bottom=height - thick), *legs])


def chair(rng: np.random.Generator) -> Solid:
    """A chair with a closed or slatted back, or a stool."""
    seat, width = rng.uniform(0.4, 0.5), rng.uniform(0.38, 0.5)
    parts = [table(rng, width, width, seat)]
    if rng.random() < 0.85:
        back = rng.uniform(0.35, 0.7)
        if rng.random() < 0.5:
            parts.append(box(width, 0.03, back, (0, width / 2 - 0.02), seat))
        else:
            posts = [box(0.04, 0.04, back, (s * (width / 2 - 0.02), width / 2 - 0.02), seat) for s in (-1, 0, 1)]
            parts += [*posts, box(width, 0.03, 0.08, (0, width / 2 - 0.02), seat + back - 0.08)]
    return join(parts)


def sofa(rng: np.random.Generator) -> Solid:
    width, depth, seat = rng.uniform(0.8, 2.4), rng.uniform(0.8, 1.0), rng.uniform(0.35, 0.48)
    back, arm = rng.uniform(0.3, 0.5), rng.uniform(0.1, 0.25)
    parts = [box(width, depth, seat), box(width, 0.22, back, (0, depth / 2 - 0.11), seat)]
    parts += [box(arm, depth, 0.2, (s * (width - arm) / 2, 0), seat) for s in (-1, 1)]
    cushions = int(rng.integers(1, 4))
    inner = (width - 2 * arm) / cushions
    parts += [
        box(inner * 0.96, depth - 0.25, 0.1, ((i + 0.5) * inner - width / 2 + arm, -0.1), seat) for i in range(cushions)
    ]
    return join(parts)


def bed(rng: np.random.Generator) -> Solid:
    width, length, height = rng.uniform(0.9, 2.0), 2.0, rng.uniform(0.4, 0.6)
    pillows = [
        moved(lathe([(0.01, 0), (0.3, 0.06), (0.01, 0.13)], 12), (x, length / 2 - 0.35, height), scale=(1, 0.6, 1))
        for x in ((-width / 4, width / 4) if width > 1.3 else (0.0,))
    ]
    return join([box(width, length, height), box(width, 0.06, height + 0.5, (0, length / 2)), *pillows])


def cupboard(rng: np.random.Generator) -> Solid:
    """A cabinet with doors or drawers that stand out a little."""
    width, depth, height = rng.uniform(0.4, 1.8), rng.uniform(0.35, 0.6), rng.uniform(0.5, 2.2)
    parts = [box(width, depth, height)]
    columns, rows = int(rng.integers(1, 4)), int(rng.integers(1, 5))
    for i in range(columns):
        for j in range(rows):
            x = (i + 0.5) / columns * width - width / 2
            bottom = (j + 0.05) / rows * height
            parts.append(box(width / columns * 0.92, 0.02, height / rows * 0.9, (x, -depth / 2 - 0.01), bottom))
            knob = (x + width / columns * 0.3, -depth / 2 - 0.03)
            parts.append(box(0.03, 0.03, 0.03, knob, bottom + height / rows * 0.45))
    return join(parts)


def shelf_unit(width: float, depth: float, height: float, shelves: int, thick: float = 0.03) -> Solid:
    """An open bookcase: two sides, a back, `shelves` boards besides bottom and top, evenly spaced."""
    levels = [i * (height - thick) / (shelves + 1) for i in range(shelves + 2)]
    boards = [box(width, depth, thick, bottom=z) for z in levels]
    sides = [box(thick, depth, height, (s * (width - thick) / 2, 0)) for s in (-1, 1)]
    return join([*boards, *sides, box(width, thick / 2, height, (0, depth / 2))])


def lamp(rng: np.random.Generator) -> Solid:
    """A floor or table lamp: foot, pole, shade."""
    height, shade = rng.uniform(0.3, 1.8), rng.uniform(0.12, 0.3)
    top = shade * rng.uniform(0.4, 1.0)
    return lathe(
        [
            (0.15, 0),
            (0.15, 0.02),
            (0.015, 0.03),
            (0.015, height),
            (shade, height),
            (top, height + 0.3),
            (0, height + 0.3),
        ],
        20,
        smooth=False,
    )


def curtain(rng: np.random.Generator, width: float, height: float) -> Solid:
    """Hanging cloth in folds, along X."""
    x, z = np.meshgrid(np.linspace(-width / 2, width / 2, 60), np.linspace(0, height, 4))
    folds = rng.uniform(8, 30) / width
    return sheet(x, 0.05 * np.sin(x * folds * 2) * (1.1 - 0.5 * z / height), z)


def plant(rng: np.random.Generator) -> Solid:
    """A potted plant: blades that bend out of a pot."""
    height = rng.uniform(0.3, 1.4)
    parts = []
    for _ in range(int(rng.integers(8, 24))):
        length, lean, wide = height * rng.uniform(0.5, 1), rng.uniform(0.1, 1.1), height * rng.uniform(0.03, 0.12)
        along, across = np.meshgrid(np.linspace(0, 1, 5), np.array([-1.0, 1.0]))
        reach = np.sin(along * lean) * length
        leaf = sheet(
            across * wide * np.sin(np.pi * np.clip(along * 0.9 + 0.1, 0, 1)), reach, np.cos(along * lean) * length
        )
        parts.append(moved(leaf, (0, 0, 0.2), yaw=rng.uniform(0, 2 * math.pi)))
    return join(parts)


def pot(rng: np.random.Generator, height: float = 0.22) -> Solid:
    wide = height * rng.uniform(0.4, 0.8)
    return lathe(
        [(wide * 0.7, 0), (wide, height), (wide * 0.85, height), (wide * 0.8, height * 0.9), (0, height * 0.9)], 16
    )


def screen(rng: np.random.Generator) -> Solid:
    """A television or monitor on a foot, or an open laptop."""
    width = rng.uniform(0.3, 1.3)
    height = width * 0.6
    if width < 0.45:
        lid = moved(tilted(box(width, 0.01, height), -rng.uniform(0.1, 0.5)), (0, width * 0.35, 0.015))
        return join([box(width, width * 0.7, 0.015), lid])
    return join([box(width, 0.04, height, bottom=0.1), box(0.08, 0.05, 0.12), box(width / 3, 0.2, 0.02)])


FURNITURE = (table, chair, sofa, bed, cupboard, lamp, screen)
