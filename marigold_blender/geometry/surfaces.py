# SPDX-License-Identifier: GPL-3.0-or-later
"""What a depth map shows, taken apart into surfaces: clean depth, what is kept of it, and where it is cut.

All of it is decided on the pixels that the network saw, once for the picture. Called by the grid mesh and by the fill
behind edges.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from .camera import Camera
from .discontinuities import (
    DEFAULT_THRESHOLD,
    Discontinuities,
    find_discontinuities,
    grid_centres,
    jumps_in,
    trace_edges,
)
from .islands import without_islands
from .lattice import invalid_area
from .sampling import MaskedMap, sample_lattice
from .sky import dome_depth, find_sky
from .snapping import snap_ramps

Sky = Literal["CUT", "DOME", "KEEP"]
LEAST_ISLAND = 5e-5
WEAK = 0.5  # of the threshold: what goes on from a jump
# Where more pixels jump than any picture of things does, depth is noise: it is taken apart more coarsely.
NOISE_SHARE = 0.15
FEW_JUMPS = 100_000
COARSER = 0.7


@dataclass(frozen=True)
class EdgeOptions:
    """How a depth map is taken apart.

    Attributes:
        threshold: see `find_discontinuities`; 0 cuts nothing.
        sky: `CUT` leaves it out, `DOME` puts it on a sphere far behind all else, `KEEP` takes it for a surface.
        least_island: share of the picture below which a surface that hangs together with nothing is left out.
        uncertainty_limit: pixels that are less certain than this (share of the depth range) are left out; 0: none.
    """

    threshold: float = DEFAULT_THRESHOLD
    sky: Sky = "CUT"
    least_island: float = LEAST_ISLAND
    uncertainty_limit: float = 0.0


@dataclass(frozen=True)
class Surfaces:
    """A depth map on the grid of its processing resolution.

    Attributes:
        depth: [rows, columns] float32, 0 near .. 1 far (a dome lies beyond 1); what was smeared is on one side.
        jumps: where neighbouring pixels are apart.
        kept: [rows, columns] bool, what belongs to a surface.
        remade: [rows, columns] bool, whose depth is not that of the depth map any more.
        sky: [rows, columns] bool.
        islands: [rows, columns] bool, surfaces that are left out because they are small.
    """

    depth: np.ndarray
    jumps: Discontinuities
    kept: np.ndarray
    remade: np.ndarray
    sky: np.ndarray
    islands: np.ndarray

    @property
    def has_dome(self) -> bool:
        return bool(self.sky.any()) and bool(self.kept[self.sky].any())

    def cuts(self) -> Discontinuities:
        """The jumps, and all links to pixels that are not kept."""
        across = self.jumps.across | ~(self.kept[:, 1:] & self.kept[:, :-1])
        return Discontinuities(across, self.jumps.down | ~(self.kept[1:] & self.kept[:-1]))


def find_surfaces(
    depth: MaskedMap,
    processing_size: tuple[int, int],
    near: float,
    far: float,
    options: EdgeOptions = EdgeOptions(),
    *,
    uncertainty: np.ndarray | None = None,
    camera: Camera | None = None,
) -> Surfaces:
    """Take a depth map apart.

    Args:
        depth: 0 near .. 1 far, at any size.
        processing_size: width and height that the network saw.
        near, far: metric depth of 0 and of 1; only their ratio counts.
        uncertainty: [H, W] share of the depth range, for `uncertainty_limit`.
        camera: of the photo; a dome needs it.
    """
    jumps = find_discontinuities(depth, processing_size, near, far, options.threshold)
    if jumps.count > max(FEW_JUMPS, NOISE_SHARE * 2 * jumps.rows * jumps.columns):
        coarser = int(jumps.columns * COARSER), int(jumps.rows * COARSER)
        return find_surfaces(depth, coarser, near, far, options, uncertainty=uncertainty, camera=camera)
    xs, ys = grid_centres(jumps.columns, depth.width), grid_centres(jumps.rows, depth.height)
    sampled = depth.at_lattice(xs, ys)
    kept = ~np.isnan(sampled)
    if depth.valid is not None:
        kept &= ~invalid_area(depth.valid, kept.shape)
    sampled = np.where(np.isnan(sampled), np.float32(1), sampled)
    if uncertainty is not None and options.uncertainty_limit > 0:
        scale_x, scale_y = uncertainty.shape[1] / depth.width, uncertainty.shape[0] / depth.height
        kept &= sample_lattice(uncertainty, xs * scale_x, ys * scale_y) <= options.uncertainty_limit

    snapped = sampled
    if options.threshold > 0:
        reach = far / near - 1
        disparity = 1 / (1 + sampled.astype(np.float64) * reach)
        clean = snap_ramps(disparity, jumps)
        snapped = np.where(clean == disparity, sampled, ((1 / clean - 1) / reach).astype(np.float32))
        jumps = trace_edges(jumps_in(clean, options.threshold), jumps_in(clean, options.threshold * WEAK))
    nowhere = np.zeros(kept.shape, bool)
    found = Surfaces(snapped, jumps, kept, snapped != sampled, sky=nowhere, islands=nowhere)
    if options.sky != "KEEP":
        found = _without_sky(found, options.sky, depth, camera, near, far)
    large = without_islands(found.kept, found.cuts(), options.least_island)
    return replace(found, kept=large, islands=found.kept & ~large)


def _without_sky(
    found: Surfaces, sky: Sky, depth: MaskedMap, camera: Camera | None, near: float, far: float
) -> Surfaces:
    """The sky cut off, and put on a dome where that is asked for."""
    is_sky = find_sky(found.depth, found.jumps, found.kept)
    if not is_sky.any():
        return found
    apart = Discontinuities(
        (found.jumps.across & ~(is_sky[:, 1:] & is_sky[:, :-1])) | (is_sky[:, 1:] != is_sky[:, :-1]),
        (found.jumps.down & ~(is_sky[1:] & is_sky[:-1])) | (is_sky[1:] != is_sky[:-1]),
    )
    if sky == "CUT" or camera is None:
        return replace(found, jumps=apart, kept=found.kept & ~is_sky, sky=is_sky)
    x, y = grid_centres(found.jumps.columns, depth.width), grid_centres(found.jumps.rows, depth.height)
    on_dome = np.where(is_sky, dome_depth(camera, x, y[:, None], near, far), found.depth)
    return replace(found, depth=on_dome, jumps=apart, sky=is_sky)
