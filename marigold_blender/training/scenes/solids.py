# SPDX-License-Identifier: GPL-3.0-or-later
"""Shapes as plain arrays (numpy only), from which the scene families build everything they show.

Units are metres, Z is up, and a shape stands on the plane z = 0 unless its docstring says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

Face = tuple[int, ...]


@dataclass(frozen=True)
class Solid:
    """A surface: vertices [N, 3] in metres, faces as vertex indices counter-clockwise seen from outside."""

    vertices: np.ndarray
    faces: tuple[Face, ...]
    smooth: bool = False


def join(parts: Sequence[Solid]) -> Solid:
    """One surface made of several; smooth if the first is."""
    faces: list[Face] = []
    start = 0
    for part in parts:
        faces += [tuple(i + start for i in face) for face in part.faces]
        start += len(part.vertices)
    return Solid(np.concatenate([part.vertices for part in parts]), tuple(faces), parts[0].smooth)


def moved(
    solid: Solid,
    offset: Sequence[float] | np.ndarray = (0, 0, 0),
    yaw: float = 0.0,
    scale: float | Sequence[float] = 1.0,
) -> Solid:
    """The shape scaled, turned about Z by `yaw` radians, and shifted."""
    c, s = math.cos(yaw), math.sin(yaw)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return replace(solid, vertices=(solid.vertices * np.asarray(scale)) @ turn.T + np.asarray(offset, float))


def tilted(solid: Solid, angle: float, axis: int = 0) -> Solid:
    """The shape turned about X (axis 0) or Y (axis 1) through the origin."""
    c, s = math.cos(angle), math.sin(angle)
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) if axis == 0 else np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    return replace(solid, vertices=solid.vertices @ turn.T)


def box(width: float, depth: float, height: float, centre: Sequence[float] = (0, 0), bottom: float = 0.0) -> Solid:
    """An upright box, `centre` in the ground plane."""
    x, y = width / 2, depth / 2
    corners = [(-x, -y), (x, -y), (x, y), (-x, y)]
    vertices = [(cx + centre[0], cy + centre[1], z) for z in (bottom, bottom + height) for cx, cy in corners]
    faces = ((3, 2, 1, 0), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7))
    return Solid(np.array(vertices, float), faces)


def wall(start: Sequence[float], end: Sequence[float], height: float, bottom: float = 0.0) -> Solid:
    """One upright rectangle from `start` to `end` in the ground plane."""
    (ax, ay), (bx, by) = start[:2], end[:2]
    top = bottom + height
    return Solid(np.array([(ax, ay, bottom), (bx, by, bottom), (bx, by, top), (ax, ay, top)], float), ((0, 1, 2, 3),))


def prism(outline: np.ndarray, height: float, bottom: float = 0.0) -> Solid:
    """A straight column over a convex outline [K, 2] (counter-clockwise)."""
    k = len(outline)
    low = np.column_stack([outline, np.full(k, bottom)])
    high = np.column_stack([outline, np.full(k, bottom + height)])
    sides = tuple((i, (i + 1) % k, (i + 1) % k + k, i + k) for i in range(k))
    return Solid(np.concatenate([low, high]), (*sides, tuple(range(k))[::-1], tuple(range(k, 2 * k))))


def gable(width: float, depth: float, height: float, bottom: float = 0.0, hip: float = 0.0) -> Solid:
    """A ridge roof along X; `hip` (0..1) pulls the ridge's ends in."""
    x, y = width / 2, depth / 2
    ridge = x * (1 - hip)
    vertices = [(-x, -y, 0), (x, -y, 0), (x, y, 0), (-x, y, 0), (-ridge, 0, height), (ridge, 0, height)]
    faces = ((0, 1, 5, 4), (2, 3, 4, 5), (1, 2, 5), (3, 0, 4), (3, 2, 1, 0))
    return Solid(np.array(vertices, float) + np.array([0, 0, bottom]), faces)


def lathe(profile: Sequence[tuple[float, float]], segments: int = 20, smooth: bool = True) -> Solid:
    """A profile of (radius, z), from the bottom up, turned about Z: bottles, bowls, columns, cones, spheres."""
    angles = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles)], 1)
    vertices = np.concatenate([np.column_stack([ring * max(r, 1e-4), np.full(segments, z)]) for r, z in profile])
    faces: list[Face] = [
        (
            j * segments + i,
            j * segments + (i + 1) % segments,
            (j + 1) * segments + (i + 1) % segments,
            (j + 1) * segments + i,
        )
        for j in range(len(profile) - 1)
        for i in range(segments)
    ]
    last = (len(profile) - 1) * segments
    faces += [tuple(range(segments))[::-1], tuple(range(last, last + segments))]
    return Solid(vertices, tuple(faces), smooth)


def cylinder(radius: float, height: float, segments: int = 16, top_radius: float | None = None) -> Solid:
    return lathe([(radius, 0), (radius if top_radius is None else top_radius, height)], segments, smooth=False)


def sphere(radius: float, segments: int = 20) -> Solid:
    """A ball that lies on z = 0."""
    angles = np.linspace(-np.pi / 2, np.pi / 2, segments // 2 + 1)
    return lathe([(radius * math.cos(a), radius * (1 + math.sin(a))) for a in angles], segments)


def blob(rng: np.random.Generator, radius: float, roughness: float, segments: int = 20, waves: int = 6) -> Solid:
    """A lump around the origin: a ball whose radius varies by `roughness` of itself. Fruit, rocks, foliage, heads."""
    ball = sphere(1.0, segments)
    directions = ball.vertices - (0, 0, 1.0)
    swell = np.zeros(len(directions))
    for i in range(waves):
        frequency = rng.normal(size=3) * (1.2 + 0.9 * i)
        swell += np.sin(directions @ frequency + rng.uniform(0, 2 * np.pi)) / (1 + 0.6 * i)
    return replace(ball, vertices=directions * (radius * (1 + roughness * swell / 1.6))[:, None])


def tube(points: np.ndarray, radii: np.ndarray, segments: int = 8) -> Solid:
    """A round limb along `points` [K, 3] with one radius each: trunks, pipes, arms, cables."""
    points = np.asarray(points, float)
    tangents = np.gradient(points, axis=0)
    angles = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    rings = []
    side = np.cross(tangents[0], np.eye(3)[np.argmin(abs(tangents[0]))])
    for point, tangent, radius in zip(points, tangents, radii, strict=True):
        tangent = tangent / (np.linalg.norm(tangent) + 1e-9)
        side = side - tangent * (side @ tangent)  # carried along from ring to ring, so that the limb does not twist
        side /= np.linalg.norm(side)
        other = np.cross(tangent, side)
        rings.append(point + radius * (np.cos(angles)[:, None] * side + np.sin(angles)[:, None] * other))
    faces: list[Face] = [
        (
            j * segments + i,
            j * segments + (i + 1) % segments,
            (j + 1) * segments + (i + 1) % segments,
            (j + 1) * segments + i,
        )
        for j in range(len(points) - 1)
        for i in range(segments)
    ]
    last = (len(points) - 1) * segments
    faces += [tuple(range(segments))[::-1], tuple(range(last, last + segments))]
    return Solid(np.concatenate(rings), tuple(faces), smooth=True)


def sheet(x: np.ndarray, y: np.ndarray, z: np.ndarray, *, smooth: bool = True) -> Solid:
    """A grid surface from three arrays [R, C]: ground, cloth, curtains."""
    rows, columns = x.shape
    index = np.arange(rows * columns).reshape(rows, columns)
    faces = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], -1).reshape(-1, 4)
    vertices = np.stack([x, y, z], -1).reshape(-1, 3)
    return Solid(vertices, tuple(map(tuple, faces.tolist())), smooth)


def stairs(width: float, steps: int, rise: float, going: float) -> Solid:
    """A flight that climbs along +Y from y = 0."""
    return join([box(width, going, rise * (i + 1), (0, going * (i + 0.5))) for i in range(steps)])


def hills(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, height: float, longest: float) -> np.ndarray:
    """Heights [R, C] over ground coordinates: octaves of sines in random directions, `longest` metres the longest."""
    z = np.zeros_like(x)
    for octave in range(6):
        length = longest / 1.9**octave
        for _ in range(3):
            angle, phase = rng.uniform(0, 2 * np.pi, 2)
            along = x * math.cos(angle) + y * math.sin(angle)
            z += np.sin(2 * np.pi * along / length + phase) * height * 0.5**octave / 3
    return z
