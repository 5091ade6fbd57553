# SPDX-License-Identifier: GPL-3.0-or-later
"""The cells of a grid mesh that a cut runs through, divided along pixel borders. Called by `grid`.

Lines through the picture at the lattice's and at the pixels' borders divide it into parts: each lies in one cell and in
one pixel. Where lines cross, up to four pixels meet. Those of them that hang together without a cut share one vertex
there, whose depth is interpolated between their centres alone: each surface runs on up to the cut, and none reaches
across.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .discontinuities import Discontinuities
from .sampling import MaskedMap
from .surfaces import Surfaces


@dataclass(frozen=True)
class Lines:
    """Where a direction of the picture is divided.

    Attributes:
        at: [N] ascending places, in pixels of the surfaces.
        cell: [C + 1] which of them are the lattice's.
    """

    at: np.ndarray
    cell: np.ndarray

    def pixel(self) -> np.ndarray:
        """The pixel that each interval between two lines lies in."""
        return ((self.at[:-1] + self.at[1:]) / 2).astype(np.intp)


@dataclass(frozen=True)
class DividedCells:
    """Parts of cells; vertices that are the lattice's own have its numbers, the others go on from there.

    Attributes:
        x, y: [V] places of the new vertices, in pixels of the surfaces; depth: [V] float32.
        quads: [F, 4] int32.
    """

    x: np.ndarray
    y: np.ndarray
    depth: np.ndarray
    quads: np.ndarray


def lines_through(lattice: np.ndarray, pixels: int) -> Lines:
    """Lines at the lattice's places (in pixels, ascending) and at the borders of all pixels."""
    lattice = np.round(lattice, 6)  # a line meant to lie on a pixel's border does
    at = np.union1d(lattice, np.arange(pixels + 1, dtype=np.float64))
    return Lines(at, np.searchsorted(at, lattice))


def divide_cells(
    depth: MaskedMap,
    surfaces: Surfaces,
    lattice_depth: np.ndarray,
    mixed: np.ndarray,
    whole: np.ndarray,
    lines_x: Lines,
    lines_y: Lines,
) -> DividedCells:
    """The kept parts of cells.

    Args:
        depth: the depth map that the surfaces are of.
        lattice_depth: [rows + 1, columns + 1] at the corners of the cells.
        mixed: [rows, columns] bool, the cells to divide; whole: the cells that have one face, as they are.
    """
    part_x, part_y = _parts(mixed, lines_x, lines_y)
    pixel_x, pixel_y = lines_x.pixel()[part_x], lines_y.pixel()[part_y]
    kept = surfaces.kept[pixel_y, pixel_x]
    part_x, part_y, pixel_x, pixel_y = part_x[kept], part_y[kept], pixel_x[kept], pixel_y[kept]

    # Counter-clockwise from the lower left corner.
    corner_x = np.stack([part_x, part_x + 1, part_x + 1, part_x], axis=-1)
    corner_y = np.stack([part_y + 1, part_y + 1, part_y, part_y], axis=-1)
    meeting = _Meeting(surfaces.cuts(), lines_x.at[corner_x], lines_y.at[corner_y])
    group = meeting.group_of(pixel_x[:, None], pixel_y[:, None])
    stride = len(lines_x.at)
    keys, quads = np.unique(((corner_y * stride + corner_x) * 4 + group).ravel(), return_inverse=True)
    line_y, line_x = np.divmod(keys // 4, stride)
    x, y = lines_x.at[line_x], lines_y.at[line_y]
    values = _depth_at(depth, surfaces, x, y, keys % 4)

    owned = _own_vertices(line_x, line_y, whole, lines_x, lines_y)
    number = np.where(owned >= 0, owned, lattice_depth.size + np.cumsum(owned < 0) - 1).astype(np.int32)
    _close_seams(values, line_x, line_y, whole, lattice_depth, lines_x, lines_y)
    new = owned < 0
    return DividedCells(x[new], y[new], values[new], number[quads.reshape(-1, 4)])


def _parts(mixed: np.ndarray, lines_x: Lines, lines_y: Lines) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the intervals across and down of every part of the mixed cells."""
    cell_y, cell_x = np.nonzero(mixed)
    left, top = lines_x.cell[cell_x], lines_y.cell[cell_y]
    width, height = lines_x.cell[cell_x + 1] - left, lines_y.cell[cell_y + 1] - top
    count = width * height
    cell = np.repeat(np.arange(len(count)), count)
    within = np.arange(len(cell)) - (np.cumsum(count) - count)[cell]
    down, across = np.divmod(within, width[cell])
    return left[cell] + across, top[cell] + down


class _Meeting:
    """The four pixels whose centres are around each place (x, y), and which of them hang together."""

    def __init__(self, cuts: Discontinuities, x: np.ndarray, y: np.ndarray) -> None:
        self.left = np.clip(np.floor(x - 0.5).astype(np.intp), 0, cuts.columns - 1)
        self.top = np.clip(np.floor(y - 0.5).astype(np.intp), 0, cuts.rows - 1)
        right, bottom = np.minimum(self.left + 1, cuts.columns - 1), np.minimum(self.top + 1, cuts.rows - 1)
        across = np.pad(cuts.across, ((0, 0), (0, 1)))  # beyond the picture's edge its last pixels are repeated
        down = np.pad(cuts.down, ((0, 1), (0, 0)))
        self.cut = (
            (0, 1, across[self.top, self.left]),
            (2, 3, across[bottom, self.left]),
            (0, 2, down[self.top, self.left]),
            (1, 3, down[self.top, right]),
        )
        # [4, ...] uint8: the smallest number among the pixels that each hangs together with
        self.groups = np.empty((4, *x.shape), np.uint8)
        self.groups[:] = np.arange(4, dtype=np.uint8).reshape(4, *([1] * x.ndim))
        for _ in range(3):
            for one, other, cut in self.cut:
                smaller = np.minimum(self.groups[one], self.groups[other])
                for pixel in (one, other):
                    self.groups[pixel] = np.where(cut, self.groups[pixel], smaller)

    def group_of(self, pixel_x: np.ndarray, pixel_y: np.ndarray) -> np.ndarray:
        """The group of the pixel (x, y), which is one of the four."""
        own = (pixel_y > self.top) * 2 + (pixel_x > self.left)
        return np.take_along_axis(self.groups, own[None], axis=0)[0]

    @property
    def is_whole(self) -> np.ndarray:
        return ~np.logical_or.reduce([cut for _, _, cut in self.cut])


def _depth_at(depth: MaskedMap, surfaces: Surfaces, x: np.ndarray, y: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Depth [V] float32 at the places (x, y), of the group of pixels there."""
    rows, columns = surfaces.depth.shape
    meeting = _Meeting(surfaces.cuts(), x, y)
    right = np.clip(x - 0.5 - meeting.left, 0, 1).astype(np.float32)
    below = np.clip(y - 0.5 - meeting.top, 0, 1).astype(np.float32)
    total, values = np.zeros(len(x), np.float32), np.zeros(len(x), np.float32)
    own, remade = surfaces.remade | surfaces.sky, np.zeros(len(x), bool)
    for pixel in range(4):
        column = np.minimum(meeting.left + pixel % 2, columns - 1)
        row = np.minimum(meeting.top + pixel // 2, rows - 1)
        share = (right if pixel % 2 else 1 - right) * (below if pixel // 2 else 1 - below)
        weight = np.where(meeting.groups[pixel] == group, share, 0)
        total += weight
        values += weight * surfaces.depth[row, column]
        remade |= own[row, column]
    values /= total
    plain = meeting.is_whole & ~remade
    as_mapped = depth.at_points(x[plain] * (depth.width / columns), y[plain] * (depth.height / rows))
    values[plain] = np.where(np.isnan(as_mapped), values[plain], as_mapped)
    return values


def _own_vertices(
    line_x: np.ndarray, line_y: np.ndarray, whole: np.ndarray, lines_x: Lines, lines_y: Lines
) -> np.ndarray:
    """The lattice's number of each vertex that is the corner of a whole cell, else -1."""
    column, row = _cell_of(line_x, lines_x), _cell_of(line_y, lines_y)
    at_corner = (lines_x.cell[column] == line_x) & (lines_y.cell[row] == line_y)
    guarded = np.pad(whole, 1)  # guarded[row + 1, column + 1]: no cell outside the picture is whole
    beside = guarded[row, column] | guarded[row, column + 1] | guarded[row + 1, column] | guarded[row + 1, column + 1]
    return np.where(at_corner & beside, row * (whole.shape[1] + 1) + column, -1)


def _cell_of(line: np.ndarray, lines: Lines) -> np.ndarray:
    """The number of the last lattice line at or before each line."""
    return np.searchsorted(lines.cell, line, side="right") - 1


def _close_seams(
    values: np.ndarray,
    line_x: np.ndarray,
    line_y: np.ndarray,
    whole: np.ndarray,
    lattice_depth: np.ndarray,
    lines_x: Lines,
    lines_y: Lines,
) -> None:
    """Puts the vertices on the side of an undivided cell onto that side, or a slit would open between the two.

    Linear depth along the side is exact for a relief; in perspective it is right to the second order of its change.
    """
    column, row = _cell_of(line_x, lines_x), _cell_of(line_y, lines_y)
    on_column, on_row = lines_x.cell[column] == line_x, lines_y.cell[row] == line_y
    guarded = np.pad(whole, 1)
    level = on_row & ~on_column  # on a horizontal side: the cells above and below it
    level[level] = guarded[row[level], column[level] + 1] | guarded[row[level] + 1, column[level] + 1]
    r, c = row[level], column[level]
    t = _along(line_x[level], c, lines_x)
    values[level] = lattice_depth[r, c] * (1 - t) + lattice_depth[r, c + 1] * t
    upright = on_column & ~on_row
    upright[upright] = guarded[row[upright] + 1, column[upright]] | guarded[row[upright] + 1, column[upright] + 1]
    r, c = row[upright], column[upright]
    t = _along(line_y[upright], r, lines_y)
    values[upright] = lattice_depth[r, c] * (1 - t) + lattice_depth[r + 1, c] * t


def _along(line: np.ndarray, cell: np.ndarray, lines: Lines) -> np.ndarray:
    start, end = lines.at[lines.cell[cell]], lines.at[lines.cell[cell + 1]]
    return ((lines.at[line] - start) / (end - start)).astype(np.float32)
