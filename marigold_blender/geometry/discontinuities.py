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

DEFAULT_THRESHOLD = 0.04  # as the relative edge threshold of MoGe
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

    def band(self) -> np.ndarray:
        """The area that the jumps cover, in half pixels: [2 * rows, 2 * columns] bool.

        Bilinear depth ramps from one side of a jump to the other between two pixel centres: that band, one pixel wide
        and as long as the pixels' common edge, belongs to neither side.
        """
        band = np.zeros((2 * self.rows, 2 * self.columns), bool)
        for half in (0, 1):
            for side in (1, 2):
                band[half::2, side : side + 2 * self.across.shape[1] : 2] |= self.across
                band[side : side + 2 * self.down.shape[0] : 2, half::2] |= self.down
        # Between four pixel centres, where an edge turns its corner, all four pixels take part in the ramp.
        turn = (self.across[:-1] | self.across[1:]) & (self.down[:, :-1] | self.down[:, 1:])
        for below in (1, 2):
            for beside in (1, 2):
                band[below : below + 2 * turn.shape[0] : 2, beside : beside + 2 * turn.shape[1] : 2] |= turn
        return band

    def step_back(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (x, y) in grid pixels, those on a ramp over a jump moved to the pixel centre on their own side of it.

        Depth sampled there is the depth of the side, not of the ramp between the sides.
        """
        x = _to_own_side(x, y, self.across)
        y = _to_own_side(y, x, self.down.T)
        return x, y


def _to_own_side(along: np.ndarray, beside: np.ndarray, jumps: np.ndarray) -> np.ndarray:
    """`along` moved to its pixel's centre where a jump [lines, links] lies before or behind it on a line beside it."""
    lines, links = jumps.shape
    if links == 0:
        return along
    first_line = np.clip(np.floor(beside - 0.5).astype(np.intp), 0, lines - 1)
    second_line = np.clip(np.ceil(beside - 0.5).astype(np.intp), 0, lines - 1)
    link = np.floor(along - 0.5).astype(np.intp)
    between = np.clip(link, 0, links - 1)
    jump = (jumps[first_line, between] | jumps[second_line, between]) & (link == between)
    return np.where(jump, np.floor(along) + 0.5, along)


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
    samples = depth.at_lattice(_centres(columns, depth.width), _centres(rows, depth.height))
    samples = np.nan_to_num(samples, nan=1.0)
    if threshold <= 0:
        return Discontinuities(np.zeros((rows, columns - 1), bool), np.zeros((rows - 1, columns), bool))
    disparity = 1 / (1 + samples.astype(np.float64) * (far / near - 1))  # in units of 1 / near
    return Discontinuities(_jumps(disparity, threshold), _jumps(disparity.T, threshold).T)


def _centres(count: int, size: int) -> np.ndarray:
    return (np.arange(count) + 0.5) * (size / count)


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
