# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings the depth of one tile onto the depth that the level below it has there. Called by `tiling`.

A tile is affine-invariant by itself. One scale and one shift, found robustly, bring it close; what is left over at low
frequencies is taken from the level below, which two neighbours share: that is why no seam shows (the idea of Li et al.,
PatchFusion, CVPR 2024, without its fusion network).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it

COMPARED_EDGE = 40  # pixels along a tile's edge at which it is compared: finer, only the tile has detail
REWEIGHTINGS = 12
OUTLIER = 2.0  # residuals beyond so many median ones count little (Cauchy's weights)
KEPT_FROM_BELOW = 1 / 12  # of the tile's edge: the standard deviation of the Gaussian that parts low from high
TRUST_FROM, TRUST_FULL = 0.3, 0.7  # share of the level below that a tile must explain to add detail, and all of it
FLAT = 1e-8  # variance below which there is nothing to explain


def fit_tile(tile: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
    """The tile's detail on the structure of the level below.

    Args:
        tile: [h, w] the network's depth of this tile alone, in its own scale.
        below: [h, w] the level below, enlarged.

    Returns:
        [h, w] in the scale of `below`; `below` itself where the tile contradicts it.
    """
    scale, shift, trust = robust_affine(_compared(tile), _compared(below))
    if trust == 0.0:
        return below
    fitted = tile * scale + shift
    fitted = fitted + _smooth(below - fitted)
    return below + trust * (fitted - below)


def robust_affine(values: np.ndarray, target: np.ndarray) -> tuple[float, float, float]:
    """Scale, shift and trust that make `values` like `target`, both [N] float64.

    Weighted least squares, repeated (Holland & Welsch 1977). Trust is 0 where the values are turned inside out or
    explain little of the target, 1 where they explain most of it.
    """
    weights = np.ones_like(values)
    scale, shift = 0.0, float(target.mean())
    for _ in range(REWEIGHTINGS):
        total = weights.sum()
        mean_value, mean_target = weights @ values / total, weights @ target / total
        variance = weights @ (values - mean_value) ** 2 / total
        if variance < FLAT:
            return 0.0, float(mean_target), 0.0
        scale = float(weights @ ((values - mean_value) * (target - mean_target)) / total / variance)
        shift = float(mean_target - scale * mean_value)
        residuals = np.abs(values * scale + shift - target)
        weights = 1.0 / (1.0 + (residuals / (OUTLIER * max(float(np.median(residuals)), 1e-6))) ** 2)
    spread = weights @ (target - weights @ target / weights.sum()) ** 2
    if scale <= 0.0 or spread < FLAT:
        return scale, shift, 0.0
    explained = 1.0 - float(weights @ residuals**2 / spread)
    return scale, shift, float(np.clip((explained - TRUST_FROM) / (TRUST_FULL - TRUST_FROM), 0.0, 1.0))


def _compared(depth: torch.Tensor) -> np.ndarray:
    """The pixels [N] of a map whose long edge is at most `COMPARED_EDGE`."""
    size = [max(1, min(edge, COMPARED_EDGE * edge // max(depth.shape))) for edge in depth.shape]
    return F.interpolate(depth[None, None], size, mode="area").double().numpy().ravel()


def _smooth(values: torch.Tensor) -> torch.Tensor:
    """A Gaussian blur of [h, w]; the border's pixels go on beyond it."""
    smoothed = values[None, None]  # [1, 1, h, w]
    for axis in (2, 3):
        sigma = max(0.5, KEPT_FROM_BELOW * max(values.shape))
        reach = min(int(3 * sigma) + 1, 4 * max(values.shape))
        kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
        kernel = (kernel / kernel.sum()).reshape((1, 1, -1, 1) if axis == 2 else (1, 1, 1, -1))
        padding = (0, 0, reach, reach) if axis == 2 else (reach, reach, 0, 0)
        smoothed = F.conv2d(F.pad(smoothed, padding, mode="replicate"), kernel)
    return smoothed[0, 0]
