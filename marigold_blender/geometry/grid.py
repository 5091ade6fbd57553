# SPDX-License-Identifier: GPL-3.0-or-later
"""A grid mesh over a picture, cut where depth jumps: which vertices and faces there are.

Called by the scene's mesh. The regular grid has the number of vertices that was asked for. A cell that a jump or the
edge of a mask runs through is divided along the pixels of the processing resolution (`divided_cells`), so that the cut
is in the same place on a coarse mesh as on a fine one. The cut has no width: both sides run up to it, each with its own
vertices there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .discontinuities import DEFAULT_THRESHOLD
from .divided_cells import divide_cells, lines_through
from .lattice import cells_touching, lattice_quads, lattice_size
from .sampling import MaskedMap, sample_lattice
from .surfaces import EdgeOptions, Surfaces, find_surfaces

DEFAULT_VERTICES = 200_000


@dataclass(frozen=True)
class GridMesh:
    """A quad mesh in picture coordinates.

    Attributes:
        uv: [V, 2] float32; place in the picture, (0, 0) bottom left .. (1, 1) top right.
        depth: [V] float32; 0 near .. 1 far.
        quads: [F, 4] int32; vertices of each face, counter-clockwise as the camera sees them.
        texture: [V, 2] float32; the place in the picture that a vertex has its colour from; None: its own.
    """

    uv: np.ndarray
    depth: np.ndarray
    quads: np.ndarray
    texture: np.ndarray | None = None


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
    """The mesh of a depth map, cut at its jumps, without invalid pixels; sky and small islands are kept.

    Args:
        depth: [H, W] float32, 0 near .. 1 far.
        valid: [H, W] bool, or None when all pixels are.
        processing_size: width and height that the network saw.
        near, far: metric depth of 0 and of 1: they decide how large a jump is.
        vertices: least number of vertices of the whole grid, before faces are dropped.
        edge_threshold: see `find_discontinuities`; 0 keeps every face.
    """
    masked = MaskedMap(depth, valid)
    options = EdgeOptions(edge_threshold, sky="KEEP", least_island=0.0)
    return mesh_of_surfaces(masked, find_surfaces(masked, processing_size, near, far, options), vertices)


def mesh_of_surfaces(depth: MaskedMap, surfaces: Surfaces, vertices: int = DEFAULT_VERTICES) -> GridMesh:
    """The mesh of the surfaces of a depth map, without unused vertices: see `grid_mesh`."""
    rows, columns = surfaces.depth.shape
    across, down = lattice_size(depth.width, depth.height, vertices)
    xs, ys = np.linspace(0, 1, across), np.linspace(0, 1, down)  # of the picture's width and height, from the top
    lattice_depth = depth.at_lattice(xs * depth.width, ys * depth.height)
    if surfaces.has_dome:
        on_dome = surfaces.sky[np.ix_(_pixels(ys, rows), _pixels(xs, columns))]
        lattice_depth = np.where(on_dome, sample_lattice(surfaces.depth, xs * columns, ys * rows), lattice_depth)

    touched, _ = cells_touching(_unsettled(surfaces), xs, ys)
    _, empty = cells_touching(np.repeat(np.repeat(~surfaces.kept, 2, axis=0), 2, axis=1), xs, ys)
    corner = np.arange(across * down, dtype=np.int32).reshape(down, across)
    uv = np.empty((down, across, 2), np.float32)
    uv[..., 0] = xs
    uv[..., 1] = 1 - ys[:, None]
    grid = GridMesh(uv.reshape(-1, 2), lattice_depth.reshape(-1), lattice_quads(corner)[~touched])
    mixed = touched & ~empty
    if mixed.any():
        lines = lines_through(xs * columns, columns), lines_through(ys * rows, rows)
        divided = divide_cells(depth, surfaces, lattice_depth, mixed, ~touched, *lines)
        uv_divided = np.stack([divided.x / columns, 1 - divided.y / rows], axis=-1).astype(np.float32)
        grid = GridMesh(
            np.concatenate([grid.uv, uv_divided]),
            np.concatenate([grid.depth, divided.depth]),
            np.concatenate([grid.quads, divided.quads]),
        )
    return _without_unused(grid)


def _pixels(places: np.ndarray, count: int) -> np.ndarray:
    return np.minimum((places * count).astype(np.intp), count - 1)


def _unsettled(surfaces: Surfaces) -> np.ndarray:
    """Where depth is not simply that of the depth map: [2 * rows, 2 * columns] bool, in half pixels.

    Between four pixel centres depth is interpolated between four pixels: that square is unsettled when a cut runs
    through it, or when one of the four is not kept or has a new depth.
    """
    rows, columns = surfaces.depth.shape
    cuts, special = surfaces.cuts(), surfaces.remade | ~surfaces.kept
    across, down = np.pad(cuts.across, ((0, 0), (0, 1))), np.pad(cuts.down, ((0, 1), (0, 0)))
    square = np.zeros((rows, columns), bool)  # by its upper left pixel; beyond the edge the last pixels are repeated
    below, beside = np.minimum(np.arange(rows) + 1, rows - 1), np.minimum(np.arange(columns) + 1, columns - 1)
    square |= across | across[below] | down | down[:, beside]
    square |= special | special[below] | special[:, beside] | special[below][:, beside]
    half_y = np.clip((np.arange(2 * rows) - 1) // 2, 0, None)
    half_x = np.clip((np.arange(2 * columns) - 1) // 2, 0, None)
    return square[half_y][:, half_x]


def _without_unused(grid: GridMesh) -> GridMesh:
    used = np.zeros(len(grid.depth), bool)
    used[grid.quads] = True
    if used.all():
        return grid
    number = np.cumsum(used, dtype=np.int32) - 1
    return GridMesh(grid.uv[used], grid.depth[used], number[grid.quads])
