# SPDX-License-Identifier: GPL-3.0-or-later
"""A grid mesh over a picture, cut where depth jumps: which vertices and faces there are.

Called by the scene's mesh. The regular grid has the number of vertices that was asked for. A cell that a jump or the
edge of a mask runs through is divided down to the pixels of the processing resolution before its faces are dropped, so
that the cut is as narrow on a coarse mesh as on a fine one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .discontinuities import DEFAULT_THRESHOLD, Discontinuities, find_discontinuities
from .lattice import cells_touching, invalid_area, lattice_quads, lattice_size
from .sampling import MaskedMap

DEFAULT_VERTICES = 200_000
# Faces that dividing may make at most, against depth maps that jump everywhere (noise).
DIVIDED_FACES_PER_CELL = 4
DIVIDED_FACES_LEAST = 400_000


@dataclass(frozen=True)
class GridMesh:
    """A quad mesh in picture coordinates.

    Attributes:
        uv: [V, 2] float32; place in the picture, (0, 0) bottom left .. (1, 1) top right.
        depth: [V] float32; 0 near .. 1 far.
        quads: [F, 4] int32; vertices of each face, counter-clockwise as the camera sees them.
    """

    uv: np.ndarray
    depth: np.ndarray
    quads: np.ndarray


def grid_mesh(
    depth: np.ndarray,
    valid: np.ndarray | None,
    processing_size: tuple[int, int],
    near: float,
    far: float,
    *,
    vertices: int = DEFAULT_VERTICES,
    edge_threshold: float = DEFAULT_THRESHOLD,
) -> GridMesh:
    """The mesh of a depth map, without the faces over jumps and over invalid pixels, and without unused vertices.

    Args:
        depth: [H, W] float32, 0 near .. 1 far.
        valid: [H, W] bool, or None when all pixels are.
        processing_size: width and height that the network saw.
        near, far: metric depth of 0 and of 1: they decide how large a jump is.
        vertices: least number of vertices of the whole grid, before faces are dropped.
        edge_threshold: see `find_discontinuities`; 0 keeps every face.
    """
    height, width = depth.shape
    masked = MaskedMap(depth, valid)
    jumps = find_discontinuities(masked, processing_size, near, far, edge_threshold)
    dropped = jumps.band()
    if valid is not None and not valid.all():
        dropped |= invalid_area(valid, dropped.shape)

    columns, rows = lattice_size(width, height, vertices)
    xs, ys = np.linspace(0, 1, columns), np.linspace(0, 1, rows)  # of the picture's width and height, from the top
    lattice_depth = masked.at_lattice(xs * width, ys * height)
    hit, full = cells_touching(dropped, xs, ys)

    corner = np.arange(columns * rows, dtype=np.int32).reshape(rows, columns)
    whole = ~hit
    quads = lattice_quads(corner)[whole]
    uv = np.empty((rows, columns, 2), np.float32)
    uv[..., 0] = xs
    uv[..., 1] = 1 - ys[:, None]
    grid = GridMesh(uv.reshape(-1, 2), lattice_depth.reshape(-1), quads)
    mixed = hit & ~full
    if mixed.any():
        grid = _with_divided_cells(grid, whole, mixed, masked, jumps, dropped)
    return _without_unused(grid)


def _divisions(cells: tuple[int, ...], mixed: int, jumps: Discontinuities) -> int:
    """Into how many parts a cell's side is divided, so that a part is no larger than a pixel that the network saw."""
    wanted = math.ceil(max(jumps.rows / cells[0], jumps.columns / cells[1]))
    most = max(DIVIDED_FACES_PER_CELL * cells[0] * cells[1], DIVIDED_FACES_LEAST)
    return max(1, min(wanted, math.isqrt(most // mixed)))


def _with_divided_cells(
    grid: GridMesh,
    whole: np.ndarray,
    mixed: np.ndarray,
    depth: MaskedMap,
    jumps: Discontinuities,
    dropped: np.ndarray,
) -> GridMesh:
    """The grid with the kept parts of its mixed cells added.

    Every vertex of the divided cells has a place (x, y) on a lattice as fine as the division; those that fall on the
    corner of a cell are the grid's own.
    """
    rows, columns = whole.shape
    parts = _divisions(whole.shape, int(mixed.sum()), jumps)
    cell_y, cell_x = np.nonzero(mixed)
    part_y, part_x = (index.ravel() for index in np.indices((parts, parts)))
    x = (cell_x[:, None] * parts + part_x).ravel()  # top left corner of each part
    y = (cell_y[:, None] * parts + part_y).ravel()
    centre_x = ((x + 0.5) / (columns * parts) * dropped.shape[1]).astype(np.intp)
    centre_y = ((y + 0.5) / (rows * parts) * dropped.shape[0]).astype(np.intp)
    kept = ~dropped[centre_y, centre_x]
    x, y = x[kept], y[kept]

    stride = columns * parts + 1
    corners = np.stack([(y + 1) * stride + x, (y + 1) * stride + x + 1, y * stride + x + 1, y * stride + x], axis=-1)
    places, quads = np.unique(corners, return_inverse=True)
    y, x = np.divmod(places, stride)
    at_corner = (x % parts == 0) & (y % parts == 0)
    number = np.empty(len(places), np.int32)
    number[at_corner] = (y // parts * (columns + 1) + x // parts)[at_corner]
    number[~at_corner] = len(grid.depth) + np.arange(np.count_nonzero(~at_corner))

    u, v = x / (columns * parts), y / (rows * parts)
    grid_x, grid_y = jumps.step_back(u * jumps.columns, v * jumps.rows)
    place_depth = depth.at_points(grid_x * (depth.width / jumps.columns), grid_y * (depth.height / jumps.rows))
    lattice_depth = grid.depth.copy()
    lattice_depth[number[at_corner]] = place_depth[at_corner]
    _close_seams(place_depth, x, y, parts, whole, lattice_depth)

    known = ~np.isnan(place_depth)  # a part may reach beyond the last valid pixel: then it goes
    quads = quads.reshape(-1, 4)
    quads = number[quads[known[quads].all(axis=1)]]
    return GridMesh(
        uv=np.concatenate([grid.uv, np.stack([u, 1 - v], axis=-1)[~at_corner].astype(np.float32)]),
        depth=np.concatenate([lattice_depth, place_depth[~at_corner]]),
        quads=np.concatenate([grid.quads, quads]),
    )


def _close_seams(
    place_depth: np.ndarray, x: np.ndarray, y: np.ndarray, parts: int, whole: np.ndarray, lattice_depth: np.ndarray
) -> None:
    """Puts the vertices on the side of an undivided cell onto that side, or a slit would open between the two.

    Linear depth along the side is exact for a relief; in perspective it is right to the second order of its change.
    """
    rows, columns = whole.shape
    lattice = lattice_depth.reshape(rows + 1, columns + 1)
    guarded = np.pad(whole, 1)  # guarded[row + 1, column + 1]: no cell outside the picture is whole
    column, along_x = np.divmod(x, parts)
    row, along_y = np.divmod(y, parts)
    level = (along_y == 0) & (along_x > 0)  # on a horizontal side: the cells above and below it
    level[level] = guarded[row[level], column[level] + 1] | guarded[row[level] + 1, column[level] + 1]
    r, c, t = row[level], column[level], along_x[level] / parts
    place_depth[level] = lattice[r, c] * (1 - t) + lattice[r, c + 1] * t
    upright = (along_x == 0) & (along_y > 0)
    upright[upright] = guarded[row[upright] + 1, column[upright]] | guarded[row[upright] + 1, column[upright] + 1]
    r, c, t = row[upright], column[upright], along_y[upright] / parts
    place_depth[upright] = lattice[r, c] * (1 - t) + lattice[r + 1, c] * t


def _without_unused(grid: GridMesh) -> GridMesh:
    used = np.zeros(len(grid.depth), bool)
    used[grid.quads] = True
    if used.all():
        return grid
    number = np.cumsum(used, dtype=np.int32) - 1
    return GridMesh(grid.uv[used], grid.depth[used], number[grid.quads])
