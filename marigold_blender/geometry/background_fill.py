# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies behind the edges: a second layer that goes on with the background behind everything before it.

A photo shows nothing there; a camera that moves aside sees holes. From every cut the farther surface is carried on
under the nearer one, as a plane (its disparity is affine in the pixel), as far as a camera that moves by a share of the
median distance can look behind the edge. Its colours are those of the background beside the edge, mirrored at it.
Called by the scene when it is asked to fill.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .camera import Camera
from .discontinuities import Discontinuities
from .grid import GridMesh
from .islands import label_areas
from .surfaces import Surfaces

MOVE = 0.15  # of the median distance: the sidestep that the layer is wide enough for
SPARE = 3.0  # pixels
BEHIND = 0.998  # of a disparity: how much farther the layer stays than what is before it
SMOOTHING_OF_SLOPES = 12  # rounds: slopes are means over about as many pixels around
SMOOTHING_OF_LAYER = 16
AWAY_FROM_EDGE = 1.5  # pixels: the photo mixes the colours of both sides there
REFLECTIONS = (1.0, 0.5, 0.25, 0.0)  # how far the mirrored colours may come from, until they come from the background


@dataclass(frozen=True)
class _Layer:
    """The layer's pixels: [rows, columns] bool, with row and column of the pixel of the edge that each comes from."""

    inside: np.ndarray
    source_row: np.ndarray
    source_column: np.ndarray
    disparity: np.ndarray


def fill_behind_edges(surfaces: Surfaces, camera: Camera, near: float, far: float) -> GridMesh | None:
    """The layer as a mesh of one face for each of its pixels; None where nothing is cut.

    Args:
        camera: of the photo; near, far: metric depth of 0 and of 1.
    """
    disparity = 1 / (near + surfaces.depth.astype(np.float64) * (far - near))
    if not surfaces.kept.any():
        return None
    cuts = surfaces.cuts()
    focal = camera.focal_px * surfaces.depth.shape[1] / camera.width
    parallax = focal * MOVE / np.median(disparity[surfaces.kept])  # pixels for each unit of disparity
    shown = surfaces.kept | surfaces.islands  # what is left out for its smallness is a hole to be filled
    width = _width_at_edges(disparity, surfaces.jumps, shown) * parallax * surfaces.kept
    if not width.any():
        return None
    layer = _carried_on(disparity, shown, cuts, np.where(width > 0, width + SPARE, 0), parallax)
    column, row = _colours_of(layer, label_areas(surfaces.kept, cuts))
    values = np.stack([layer.disparity, column, row])
    values = _evened(values, layer.inside, fixed=width > 0)
    values[0] = np.where(layer.inside, np.minimum(values[0], disparity * BEHIND), 0)
    return _as_mesh(values, layer.inside, disparity, near, far)


def _width_at_edges(disparity: np.ndarray, jumps: Discontinuities, kept: np.ndarray) -> np.ndarray:
    """[rows, columns]: at each pixel that lies behind a jump, by how much disparity jumps at most; else 0."""
    width = np.zeros(disparity.shape)
    for turned in (False, True):
        across = jumps.down.T if turned else jumps.across
        values, target, seen = (a.T if turned else a for a in (disparity, width, kept))
        rise = np.where(across & seen[:, 1:] & seen[:, :-1], np.diff(values, axis=1), 0)
        np.maximum(target[:, :-1], rise, out=target[:, :-1])  # the right one is nearer
        np.maximum(target[:, 1:], -rise, out=target[:, 1:])
    return width


def _carried_on(
    disparity: np.ndarray, shown: np.ndarray, cuts: Discontinuities, width: np.ndarray, parallax: float
) -> _Layer:
    """Spreads from the pixels at the edges over what is nearer, pixel by pixel.

    What is kept of it is as wide as each edge asks for; and as wide along the picture's frame, since what is cut off by
    the frame may be looked behind there.
    """
    rows, columns = disparity.shape
    slope_y, slope_x = (np.pad(slope, 1).ravel() for slope in _slopes(disparity, cuts))
    row, column = (index.ravel() for index in np.indices((rows + 2, columns + 2)))
    flat, front = np.pad(disparity, 1).ravel(), np.pad(shown, 1).ravel()
    reach, value = np.pad(width, 1).ravel(), flat.copy()
    ring = np.flatnonzero(reach > 0)
    source = np.full(flat.size, -1)
    source[ring] = ring
    steps = np.array([1, -1, columns + 2, -columns - 2])
    while len(ring):
        place, start = (ring[:, None] + steps).ravel(), np.repeat(source[ring], len(steps))
        free = front[place] & (source[place] < 0)
        place, start = place[free], start[free]
        plane = flat[start] + slope_x[start] * (column[place] - column[start])
        plane += slope_y[start] * (row[place] - row[start])
        free = plane < flat[place] * BEHIND  # what is not nearer than the layer ends it
        place, start = place[free], start[free]
        source[place], value[place] = start, plane[free]
        ring = np.unique(place)
        value[ring] = np.minimum(value[ring], flat[ring] * BEHIND)  # of several edges one may be nearer
    start = np.maximum(source, 0)
    away = np.hypot(column - column[start], row - row[start])
    from_frame = np.minimum(np.minimum(column, columns + 1 - column), np.minimum(row, rows + 1 - row))
    inside = (source >= 0) & ((away <= reach[start]) | (from_frame <= (flat - value) * parallax))
    value = np.maximum(value, disparity[shown].min())

    def cropped(padded: np.ndarray) -> np.ndarray:
        return padded.reshape(rows + 2, columns + 2)[1:-1, 1:-1]

    return _Layer(cropped(inside), cropped(row[start] - 1), cropped(column[start] - 1), cropped(value))


def _slopes(disparity: np.ndarray, cuts: Discontinuities) -> tuple[np.ndarray, np.ndarray]:
    """Disparity per pixel down and across, each the mean over what hangs together around the pixel."""
    across, down = np.diff(disparity, axis=1), np.diff(disparity, axis=0)
    slope_x, slope_y = _mean_of_links(across, ~cuts.across, 1), _mean_of_links(down, ~cuts.down, 0)
    both = np.stack([slope_y, slope_x])
    for _ in range(SMOOTHING_OF_SLOPES):
        total, count = both.copy(), np.ones(disparity.shape)
        for joined, axis in ((~cuts.across, 1), (~cuts.down, 0)):
            first, second = _ends(axis)
            total[(slice(None), *first)] += np.where(joined, both[(slice(None), *second)], 0)
            total[(slice(None), *second)] += np.where(joined, both[(slice(None), *first)], 0)
            count[first] += joined
            count[second] += joined
        both = total / count
    return both[0], both[1]


def _ends(axis: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    everything, first, second = slice(None), slice(None, -1), slice(1, None)
    return ((everything, first), (everything, second)) if axis else ((first, everything), (second, everything))


def _mean_of_links(links: np.ndarray, joined: np.ndarray, axis: int) -> np.ndarray:
    """The mean of the joined links before and behind each pixel, 0 where there is none."""
    shape = list(links.shape)
    shape[axis] += 1
    total, count = np.zeros(shape), np.zeros(shape)
    for end in _ends(axis):
        total[end] += np.where(joined, links, 0)
        count[end] += joined
    return total / np.maximum(count, 1)


def _colours_of(layer: _Layer, areas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Column and row of the photo's pixel, continuous, whose colour each of the layer's pixels takes."""
    rows, columns = areas.shape
    row, column = np.indices(areas.shape)
    away_x, away_y = column - layer.source_column, row - layer.source_row
    distance = np.maximum(np.hypot(away_x, away_y), 1e-6)
    home = areas[layer.source_row, layer.source_column]
    best_x, best_y = layer.source_column.astype(np.float64), layer.source_row.astype(np.float64)
    open_ = distance > 0.5
    for share in REFLECTIONS:
        stretch = (share * distance + AWAY_FROM_EDGE) / distance
        at_x, at_y = layer.source_column - away_x * stretch, layer.source_row - away_y * stretch
        x, y = np.rint(at_x).astype(np.intp), np.rint(at_y).astype(np.intp)
        seen = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
        lands = open_ & seen & (areas[np.clip(y, 0, rows - 1), np.clip(x, 0, columns - 1)] == home)
        best_x, best_y = np.where(lands, at_x, best_x), np.where(lands, at_y, best_y)
        open_ &= ~lands
    return best_x + 0.5, best_y + 0.5


def _evened(values: np.ndarray, inside: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """`values` [K, rows, columns] evened out within the layer, so that neighbours from different edges meet."""
    padded = np.pad(inside, 1)
    around = ((1, 0), (1, 2), (0, 1), (2, 1))
    rows, columns = inside.shape
    neighbours = [padded[y : y + rows, x : x + columns] for y, x in around]
    count = sum(n.astype(np.float64) for n in neighbours)
    moves = inside & ~fixed & (count > 0)
    count = np.maximum(count, 1)
    for _ in range(SMOOTHING_OF_LAYER):
        wide = np.pad(np.where(inside, values, 0), ((0, 0), (1, 1), (1, 1)))
        mean = sum(wide[:, y : y + rows, x : x + columns] for y, x in around) / count
        values = np.where(moves, (values + mean) / 2, values)
    return values


def _as_mesh(values: np.ndarray, inside: np.ndarray, before: np.ndarray, near: float, far: float) -> GridMesh:
    """A face for each pixel of the layer; at a corner the mean of its pixels, behind each of them."""
    rows, columns = inside.shape
    total, count = np.zeros((len(values), rows + 1, columns + 1)), np.zeros((rows + 1, columns + 1))
    nearest = np.full((rows + 1, columns + 1), np.inf)
    limit = np.where(inside, before * BEHIND, np.inf)
    for lower in (0, 1):
        for right in (0, 1):
            corner = (slice(lower, lower + rows), slice(right, right + columns))
            total[(slice(None), *corner)] += np.where(inside, values, 0)
            count[corner] += inside
            nearest[corner] = np.minimum(nearest[corner], limit)
    row, column = np.nonzero(count)
    number = np.full(count.shape, -1, np.int32)
    number[row, column] = np.arange(len(row), dtype=np.int32)
    disparity, texture_x, texture_y = total[:, row, column] / count[row, column]
    disparity = np.minimum(disparity, nearest[row, column])
    y, x = np.nonzero(inside)
    return GridMesh(
        uv=np.stack([column / columns, 1 - row / rows], axis=-1).astype(np.float32),
        depth=((1 / disparity - near) / (far - near)).astype(np.float32),
        quads=np.stack([number[y + 1, x], number[y + 1, x + 1], number[y, x + 1], number[y, x]], axis=-1),
        texture=np.stack([texture_x / columns, 1 - texture_y / rows], axis=-1).astype(np.float32),
    )
