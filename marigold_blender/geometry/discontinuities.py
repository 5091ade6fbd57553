# SPDX-License-Identifier: GPL-3.0-or-later
"""Where depth jumps: the places at which a mesh must be cut instead of stretching from an object to its background.

Used by the grid mesh. The decision is taken on the pixels that the network saw (the processing resolution), because a
depth map holds nothing finer however large it has been resampled, and it is taken once for the picture, so that the
mesh laid over it later may be of any density.

Disparity (1 / metric depth) is what is compared: the disparity of a plane is an affine function of the pixel, whatever
the plane's tilt, so that the ground runs up to the horizon without a cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .sampling import MaskedMap

DEFAULT_THRESHOLD = 0.02  # MoGe leaves out pixels at 0.04; a cut leaves nothing out, so it may be finer
REACH = 2  # pixels on each side that are asked for their slope: a network smears a jump over two or three


@dataclass(frozen=True)
class Discontinuities:
    """The jumps between neighbouring pixels of a grid laid over the picture.

    Attributes:
        columns, rows: size of the grid.
        across: [rows, columns - 1] bool; a jump between a pixel and the one to its right.
        down: [rows - 1, columns] bool; a jump between a pixel and the one below it.
    """

    across: np.ndarray
    down: np.ndarray

    @property
    def columns(self) -> int:
        return self.down.shape[1]

    @property
    def rows(self) -> int:
        return self.across.shape[0]

    @property
    def count(self) -> int:
        return int(np.count_nonzero(self.across) + np.count_nonzero(self.down))


def find_discontinuities(
    depth: MaskedMap,
    processing_size: tuple[int, int],
    near: float,
    far: float,
    threshold: float = DEFAULT_THRESHOLD,
) -> Discontinuities:
    """The jumps of a depth map, on the grid of its processing resolution.

    There is a jump between two neighbouring pixels where disparity departs from its linear continuation, from both
    sides, by more than `threshold` of itself over one pixel. Both departures must be to the same side: a surface that
    bends away is steeper than what lies before it and flatter than what lies behind, a jump is steeper than both.

    Args:
        depth: 0 near .. 1 far, at any size.
        processing_size: width and height that the network saw.
        near, far: metric depth of 0 and of 1; only their ratio counts.
        threshold: share of disparity; 0 or less finds nothing.
    """
    # A map smaller than what the network saw has lost the finer pixels: then its own are what there is.
    columns, rows = min(processing_size[0], depth.width), min(processing_size[1], depth.height)
    samples = depth.at_lattice(grid_centres(columns, depth.width), grid_centres(rows, depth.height))
    samples = np.nan_to_num(samples, nan=1.0)
    return jumps_in(1 / (1 + samples.astype(np.float64) * (far / near - 1)), threshold)


def grid_centres(count: int, size: int) -> np.ndarray:
    """Where the pixels of a grid of `count` have their centres on a map of `size` pixels."""
    return (np.arange(count) + 0.5) * (size / count)


def jumps_in(disparity: np.ndarray, threshold: float) -> Discontinuities:
    """The jumps of disparity [rows, columns] in any unit; see `find_discontinuities`."""
    rows, columns = disparity.shape
    if threshold <= 0:
        return Discontinuities(np.zeros((rows, columns - 1), bool), np.zeros((rows - 1, columns), bool))
    return Discontinuities(_jumps(disparity, threshold), _jumps(disparity.T, threshold).T)


def trace_edges(strong: Discontinuities, weak: Discontinuities) -> Discontinuities:
    """The strong jumps, and the weak ones that go on from them: an edge fades where its two sides draw near.

    Without them the two sides would stay joined there, like rubber (hysteresis, as in Canny's edge detector).
    """
    across, down = strong.across.copy(), strong.down.copy()
    found = -1
    while found != (found := np.count_nonzero(across) + np.count_nonzero(down)):
        end = np.zeros((strong.rows + 1, strong.columns + 1), bool)  # corners of pixels that a jump runs through
        end[:-1, 1:-1] |= across
        end[1:, 1:-1] |= across
        end[1:-1, :-1] |= down
        end[1:-1, 1:] |= down
        across |= weak.across & (end[:-1, 1:-1] | end[1:, 1:-1])
        down |= weak.down & (end[1:-1, :-1] | end[1:-1, 1:])
    return Discontinuities(across, down)


def _jumps(disparity: np.ndarray, threshold: float) -> np.ndarray:
    """[rows, columns - 1] bool: a jump between each pixel of a row and the next."""
    slope = np.diff(disparity, axis=1)
    allowed = threshold * np.maximum(disparity[:, 1:], disparity[:, :-1])
    jump = np.zeros(slope.shape, bool)
    for steepness in (slope, -slope):
        before = _flattest_before(steepness)
        after = _flattest_before(steepness[:, ::-1])[:, ::-1]
        jump |= (steepness - before > allowed) & (steepness - after > allowed)
    return jump


def _flattest_before(steepness: np.ndarray) -> np.ndarray:
    """The least steepness within reach before each link; where there is nothing before it, the other side decides."""
    flattest = np.full(steepness.shape, np.inf)
    for back in range(1, REACH + 1):
        np.minimum(flattest[:, back:], steepness[:, :-back], out=flattest[:, back:])
    flattest[:, :1] = -np.inf
    return flattest
