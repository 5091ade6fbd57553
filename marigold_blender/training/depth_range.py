# SPDX-License-Identifier: GPL-3.0-or-later
"""Depth as the network sees it: scaled to [-1, 1] between two quantiles (paper, section 3.2), sky as chosen."""

from __future__ import annotations

from typing import Literal

import numpy as np

Sky = Literal["invalid", "far"]
QUANTILES = (2.0, 98.0)
SKY_SHARE = 0.001  # below this, stray pixels without depth do not make a sky
FAR_END_UNDER_SKY = 0.8  # where the 98 % quantile comes to lie when a sky takes the far end, 1


def normalise_depth(depth: np.ndarray, sky: Sky) -> tuple[np.ndarray, np.ndarray]:
    """Scale planar depth for training.

    Args:
        depth: [H, W] planar depth; non-finite or <= 0 where there is none.
        sky: "invalid" leaves pixels without depth unsupervised, as in the paper; "far" supervises those that are
            infinite as 1, beyond everything: then finite depth ends at 0.8, so that the sky stays apart from it.

    Returns:
        [H, W] float32 in -1 (near) .. 1 (far), and [H, W] bool: where it is supervised.
    """
    finite = np.isfinite(depth) & (depth > 0)
    low, high = np.percentile(depth[finite], QUANTILES) if finite.any() else (0.0, 1.0)
    unit = (np.where(finite, depth, high) - low) / max(high - low, 1e-6)
    code = np.clip(unit * 2 - 1, -1, 1).astype(np.float32)
    if sky == "invalid":
        return code, finite
    infinite = np.isposinf(depth)
    if has_sky(depth):
        code = (code + 1) / 2 * (FAR_END_UNDER_SKY + 1) - 1
        code[infinite] = 1.0
    return code, finite | infinite


def nearest_depth(depth: np.ndarray) -> float:
    """The 2 % quantile of planar depth [H, W] as a share of the range up to the 98 % quantile; 0 without depth.

    So relative errors can be told from the depth in [-1, 1].
    """
    finite = np.isfinite(depth) & (depth > 0)
    low, high = np.percentile(depth[finite], QUANTILES) if finite.any() else (0.0, 1.0)
    return float(low / max(high - low, 1e-6))


def has_sky(depth: np.ndarray) -> bool:
    """Whether so much of it is infinite that `normalise_depth` keeps the far end for it."""
    return bool(np.isposinf(depth).mean() > SKY_SHARE)
