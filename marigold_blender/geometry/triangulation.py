# SPDX-License-Identifier: GPL-3.0-or-later
"""A depth map as few triangles: many where it is rough, few where it is flat, without cracks, cut where depth jumps.

Called by the scene's mesh when it is given a budget, and by the `marigold mesh` command. Right-triangulated irregular
networks (Evans, Kirkpatrick and Townsend 2001): a lattice is halved again and again, each triangle at the middle of its
longest side, and a vertex brings the triangles on both sides of that side along. Errors are carried from the finest
vertices up to those that they depend on, so that a vertex is there whenever one that needs it is.

For a perspective mesh the error is that of disparity as a share of itself, which is the error of the distance as a
share of the distance, and planes have none however they are tilted; for a relief it is that of depth (0 .. 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .live_cells import cells_at_jumps, invalid_cells
from .sampling import MaskedMap
from .surfaces import Surfaces

FEWEST_SQUARES = 4  # along the shorter edge, at the coarsest
FORCED_SHARE = 0.75  # of the budget: what the cuts may take; with more, the whole lattice becomes coarser


@dataclass(frozen=True)
class TriangleMesh:
    """A triangle mesh in picture coordinates.

    Attributes:
        uv: [V, 2] float32; place in the picture, (0, 0) bottom left .. (1, 1) top right.
        depth: [V] float32; 0 near .. 1 far.
        triangles: [T, 3] int32; counter-clockwise as the camera sees them.
        worst_error, mean_error: largest and root mean square error at the processing resolution, in the unit above.
    """

    uv: np.ndarray
    depth: np.ndarray
    triangles: np.ndarray
    worst_error: float
    mean_error: float


@dataclass(frozen=True)
class _Lattice:
    """Vertices of `across` x `down` squares of 2**levels cells each."""

    across: int
    down: int
    levels: int

    @property
    def columns(self) -> int:
        return self.across * 2**self.levels + 1

    @property
    def rows(self) -> int:
        return self.down * 2**self.levels + 1

    @classmethod
    def of_size(cls, width: float, height: float) -> _Lattice:
        """With cells of about one unit of `width` and `height`."""
        levels = max(1, math.floor(math.log2(max(2.0, min(width, height) / FEWEST_SQUARES))))
        return cls(max(1, round(width / 2**levels)), max(1, round(height / 2**levels)), levels)


def triangulate(surfaces: Surfaces, near: float, far: float, triangles: int, *, relief: bool = False) -> TriangleMesh:
    """The mesh of a depth map with at most `triangles` triangles, or the fewest that the picture can be made of.

    The lattice has the processing resolution, the finest that a depth map holds. Cells that a jump touches, or what
    belongs to no surface, are left out at full resolution; where that alone would take most of the budget,
    the lattice is halved until it does not.

    Args:
        surfaces: the depth map taken apart (`surfaces.find_surfaces`).
        near, far: metric depth of 0 and of 1; only their ratio counts.
        triangles: the budget.
        relief: the error counts for a relief, else for a perspective mesh.
    """
    height, width = surfaces.depth.shape
    finest = _Lattice.of_size(width, height)
    for levels in range(finest.levels, 0, -1):
        lattice = _Lattice(finest.across, finest.down, levels)
        columns, rows = lattice.columns, lattice.rows
        dropped = cells_at_jumps(surfaces.jumps, columns, rows)
        dropped |= invalid_cells(surfaces.kept, (width, height), columns, rows)
        forced = _carried_up(_forced(lattice, dropped), lattice) > 0
        if _count(forced, lattice) - 2 * dropped.sum() <= FORCED_SHARE * triangles:
            break
    sampled = _sampled(MaskedMap(surfaces.depth, surfaces.kept), finest)
    values = sampled if relief else 1 / (1 + sampled * (far / near - 1))
    unit = np.ones_like(values) if relief else values
    stride = 2 ** (finest.levels - lattice.levels)
    on_lattice = values[::stride, ::stride]
    errors = np.abs(_interpolated(on_lattice, lattice) - on_lattice) / unit[::stride, ::stride]
    errors = np.where(forced, np.inf, _carried_up(errors, lattice))
    active = errors > _level_of_budget(errors, lattice, triangles + 2 * int(dropped.sum()))

    corners = _leaves(active, lattice)
    cell = corners.sum(axis=1) // 3  # of the middle, [T, 2] column and row
    corners = corners[~dropped[cell[:, 1], cell[:, 0]]]
    places, faces = np.unique(corners[..., 1] * columns + corners[..., 0], return_inverse=True)
    row, column = np.divmod(places, columns)
    in_all = np.zeros(values.shape, bool)
    in_all[::stride, ::stride] = active
    off = np.abs(_interpolated(values, finest, in_all) - values) / unit
    off = off[_beside_kept(np.repeat(np.repeat(dropped, stride, axis=0), stride, axis=1))]
    return TriangleMesh(
        uv=np.stack([column / (columns - 1), 1 - row / (rows - 1)], axis=-1).astype(np.float32),
        depth=sampled[row * stride, column * stride].astype(np.float32),
        triangles=faces.reshape(-1, 3).astype(np.int32),
        worst_error=float(off.max(initial=0.0)),
        mean_error=float(np.sqrt(np.mean(off**2))) if off.size else 0.0,
    )


def _sampled(depth: MaskedMap, lattice: _Lattice) -> np.ndarray:
    """Depth at every vertex: [rows, columns] float64; 1 where no valid pixel is beside it."""
    xs, ys = np.linspace(0, depth.width, lattice.columns), np.linspace(0, depth.height, lattice.rows)
    return np.nan_to_num(depth.at_lattice(xs, ys).astype(np.float64), nan=1.0)


def _forced(lattice: _Lattice, dropped: np.ndarray) -> np.ndarray:
    """[rows, columns] 1 at the vertices that make every dropped cell two triangles of its own, else 0."""
    forced = np.zeros((lattice.rows, lattice.columns))
    row, column = np.nonzero(dropped)
    even = (row + column) % 2 == 0  # the cell's diagonal runs down to the right: its other two corners divide it
    forced[row, column + even] = 1
    forced[row + 1, column + ~even] = 1
    return forced


def _middles(values: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means of the ends of the sides of length 2 * step: of the diagonals, of those across, and of those down."""
    ends = values[:: 2 * step, :: 2 * step]
    falling, rising = (ends[:-1, :-1] + ends[1:, 1:]) / 2, (ends[:-1, 1:] + ends[1:, :-1]) / 2
    row, column = np.indices(falling.shape, sparse=True)
    diagonal = np.where((row + column) % 2 == 0, falling, rising)
    return diagonal, (ends[:, :-1] + ends[:, 1:]) / 2, (ends[:-1] + ends[1:]) / 2


def _interpolated(values: np.ndarray, lattice: _Lattice, active: np.ndarray | None = None) -> np.ndarray:
    """What the vertices have without their own values: the middle of the side that each of them divides.

    Args:
        active: [rows, columns] bool: the others are left out for good, and what is finer goes by what they got; None:
            each is left out by itself.
    """
    made = values.copy()
    for level in range(lattice.levels - 1, -1, -1):
        step = 2**level
        odd, even = slice(step, None, 2 * step), slice(None, None, 2 * step)
        middles = _middles(values if active is None else made, step)
        for where, middle in zip(((odd, odd), (even, odd), (odd, even)), middles, strict=True):
            made[where] = middle if active is None else np.where(active[where], values[where], middle)
    return made


def _carried_up(errors: np.ndarray, lattice: _Lattice) -> np.ndarray:
    """Errors [rows, columns] where each is at least as large as those of the vertices that depend on it."""
    carried = errors.copy()
    carried[:: 2**lattice.levels, :: 2**lattice.levels] = 0.0  # the corners of the coarsest squares are always there
    for level in range(lattice.levels):
        step = 2**level
        odd, even = slice(step, None, 2 * step), slice(None, None, 2 * step)
        if level:
            half = step // 2
            finer = np.pad(carried[half::step, half::step], 1)  # the middles of the squares around
            beside = np.maximum(finer[::2, 1:-1], finer[1::2, 1:-1])
            np.maximum(carried[even, odd], np.maximum(beside[:, ::2], beside[:, 1::2]), out=carried[even, odd])
            above = np.maximum(finer[1:-1, ::2], finer[1:-1, 1::2])
            np.maximum(carried[odd, even], np.maximum(above[::2], above[1::2]), out=carried[odd, even])
        across, down = carried[even, odd], carried[odd, even]
        sides = np.maximum(np.maximum(across[:-1], across[1:]), np.maximum(down[:, :-1], down[:, 1:]))
        np.maximum(carried[odd, odd], sides, out=carried[odd, odd])
    return carried


def _added(lattice: _Lattice) -> np.ndarray:
    """How many triangles each vertex adds: it divides two, at the border of the picture one."""
    added = np.full((lattice.rows, lattice.columns), 2)
    added[[0, -1]] = added[:, [0, -1]] = 1
    added[:: 2**lattice.levels, :: 2**lattice.levels] = 0
    return added


def _count(active: np.ndarray, lattice: _Lattice) -> int:
    return 2 * lattice.across * lattice.down + int(_added(lattice)[active].sum())


def _level_of_budget(errors: np.ndarray, lattice: _Lattice, triangles: int) -> float:
    """The error above which vertices are needed, so that no more than `triangles` come of them."""
    descending = np.argsort(-errors, axis=None)
    counts = 2 * lattice.across * lattice.down + np.cumsum(_added(lattice).ravel()[descending])
    first_too_much = int(np.searchsorted(counts, triangles, side="right"))
    if first_too_much == len(counts):
        return 0.0  # what is flat needs no vertex
    level = float(errors.ravel()[descending[first_too_much]])
    return level if math.isfinite(level) else float(np.finfo(np.float64).max)


def _leaves(active: np.ndarray, lattice: _Lattice) -> np.ndarray:
    """The triangles [T, 3, 2], as columns and rows of their corners: the ends of the longest side, then the apex."""
    size = 2**lattice.levels
    row, column = np.divmod(np.arange(lattice.across * lattice.down), lattice.across)
    left, top = column * size, row * size
    corner = {
        (down, right): np.stack([left + right * size, top + down * size], axis=-1)
        for down in (0, 1)
        for right in (0, 1)
    }
    falling = ((row + column) % 2 == 0)[:, None, None]
    first = np.where(
        falling,
        np.stack([corner[0, 0], corner[1, 1], corner[0, 1]], axis=1),
        np.stack([corner[1, 0], corner[0, 1], corner[0, 0]], axis=1),
    )
    second = np.where(
        falling,
        np.stack([corner[1, 1], corner[0, 0], corner[1, 0]], axis=1),
        np.stack([corner[0, 1], corner[1, 0], corner[1, 1]], axis=1),
    )
    waiting, done = np.concatenate([first, second]), []
    for _ in range(2 * lattice.levels):
        start, end, apex = waiting[:, 0], waiting[:, 1], waiting[:, 2]
        middle = (start + end) // 2
        divided = active[middle[:, 1], middle[:, 0]]
        done.append(waiting[~divided])
        halves = (np.stack([apex, start, middle], axis=1), np.stack([end, apex, middle], axis=1))
        waiting = np.concatenate([half[divided] for half in halves])
    return np.concatenate([*done, waiting])


def _beside_kept(dropped: np.ndarray) -> np.ndarray:
    """[rows, columns] bool: which vertices a cell that stays has at a corner."""
    kept = np.pad(~dropped, 1)
    return kept[:-1, :-1] | kept[:-1, 1:] | kept[1:, :-1] | kept[1:, 1:]
