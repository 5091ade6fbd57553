# SPDX-License-Identifier: GPL-3.0-or-later
"""A relief as a closed solid that can be printed or milled: surface, border, walls and base, in millimetres.

Called by the scene and by the `marigold mesh` command. The solid is a height field on a lattice, closed by walls and a
flat bottom: every edge has exactly two faces and nothing can meet itself, whatever the depth map holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import MarigoldError
from .lattice import lattice_quads, lattice_size
from .sampling import MaskedMap

DEFAULT_VERTICES = 400_000
BEVEL_OF_BORDER = 0.5  # at most this share of the border goes into the slope down to the picture


@dataclass(frozen=True)
class SolidOptions:
    """The measures of a solid, in millimetres.

    Attributes:
        size: longer edge, border included.
        height: from the farthest to the nearest depth.
        base: below the lowest point: the thickness that every place has at least.
        border: width of the frame around the picture; 0: none.
        border_height: of the frame over the lowest point of the picture.
        inverted: near becomes low: a mould, or a relief that is lit from behind.
        vertices: of the surface, about.
    """

    size: float = 120.0
    height: float = 8.0
    base: float = 2.0
    border: float = 4.0
    border_height: float = 2.0
    inverted: bool = False
    vertices: int = DEFAULT_VERTICES

    def check(self, width: int, height: int) -> None:
        """Raises MarigoldError (`bad_input`) where no solid has these measures; `width`, `height` in pixels."""
        if self.size <= 0 or self.height <= 0 or self.base <= 0:
            raise MarigoldError("bad_input", "Size, height and base of a solid must be larger than 0.")
        if self.border < 0 or self.border_height < 0:
            raise MarigoldError("bad_input", "The border of a solid cannot be less than 0.")
        if 2 * self.border >= self.size * min(width, height) / max(width, height):
            raise MarigoldError("bad_input", "The border leaves no room for the picture: make it narrower.")


@dataclass(frozen=True)
class Solid:
    """A closed quad mesh, in millimetres, its base at z = 0, the picture's up along y, the middle of it at x = y = 0.

    Attributes:
        points: [V, 3] float32.
        quads: [F, 4] and triangles: [G, 3], both int32, counter-clockwise from outside; the triangles are the bottom.
        uv: [V, 2] float32; place in the picture; beyond its edges for the border.
        depth: [V] float32; 0 near .. 1 far; 1 where there is no picture.
    """

    points: np.ndarray
    quads: np.ndarray
    triangles: np.ndarray
    uv: np.ndarray
    depth: np.ndarray

    def as_triangles(self) -> np.ndarray:
        """All faces as triangles [T, 3]: every quad divided in two."""
        return np.concatenate([self.quads[:, [0, 1, 2]], self.quads[:, [0, 2, 3]], self.triangles])


def solid_relief(depth: np.ndarray, valid: np.ndarray | None, options: SolidOptions = SolidOptions()) -> Solid:
    """The solid of a depth map.

    Args:
        depth: [H, W] float32, 0 near .. 1 far; what is not finite counts as far.
        valid: [H, W] bool, or None when all pixels are; invalid ones lie at the far end.

    Raises:
        MarigoldError: no solid has these measures (`bad_input`).
    """
    height, width = depth.shape
    options.check(width, height)
    longer = max(width, height)
    unit = (options.size - 2 * options.border) / longer  # the border has the same width on all sides
    columns, rows = lattice_size(width, height, options.vertices)
    xs, ys = np.linspace(0, 1, columns), np.linspace(0, 1, rows)
    finite = np.clip(np.nan_to_num(depth, nan=1.0, posinf=1.0, neginf=0.0), 0.0, 1.0)
    surface = np.nan_to_num(MaskedMap(finite, valid).at_lattice(xs * width, ys * height), nan=1.0)
    nearness = surface if options.inverted else 1 - surface
    heights = options.base + nearness.astype(np.float64) * options.height

    x, y = (xs - 0.5) * width * unit, (0.5 - ys) * height * unit
    if options.border > 0:
        bevel = min(BEVEL_OF_BORDER * options.border, unit * longer / (max(columns, rows) - 1))
        x, y = _with_border(x, options.border, bevel), _with_border(y[::-1], options.border, bevel)[::-1]
        heights = np.pad(heights, 2, constant_values=options.base + options.border_height)
        surface = np.pad(surface, 2, constant_values=1.0)
    return _closed(x, y, heights, surface, (width * unit, height * unit))


def _with_border(places: np.ndarray, border: float, bevel: float) -> np.ndarray:
    """Ascending places with the border's two on each side: its inner edge, a bevel away from the picture, and its
    outer."""
    low, high = places[0], places[-1]
    return np.concatenate([[low - border, low - bevel], places, [high + bevel, high + border]])


def _closed(
    x: np.ndarray, y: np.ndarray, heights: np.ndarray, surface: np.ndarray, picture: tuple[float, float]
) -> Solid:
    """The surface over the places (x, y), with walls down to z = 0 and a bottom."""
    rows, columns = heights.shape
    number = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    rim = np.concatenate([number[0, :-1], number[:-1, -1], number[-1, :0:-1], number[:0:-1, 0]])  # clockwise from above
    top = np.stack([*np.broadcast_arrays(x[None, :], y[:, None]), heights], axis=-1).reshape(-1, 3)
    below = top[rim] * np.array([1.0, 1.0, 0.0])
    foot = rows * columns + np.arange(len(rim), dtype=np.int32)
    centre = np.int32(rows * columns + len(rim))
    points = np.concatenate([top, below, np.zeros((1, 3))])
    after, foot_after = np.roll(rim, -1), np.roll(foot, -1)
    walls = np.stack([rim, after, foot_after, foot], axis=-1)
    bottom = np.stack([foot, foot_after, np.full_like(foot, centre)], axis=-1)
    depth = np.concatenate([surface.reshape(-1), np.ones(len(rim) + 1)])
    return Solid(
        points=points.astype(np.float32),
        quads=np.concatenate([lattice_quads(number).reshape(-1, 4), walls]),
        triangles=bottom,
        uv=(points[:, :2] / np.array(picture) + 0.5).astype(np.float32),
        depth=depth.astype(np.float32),
    )
