# SPDX-License-Identifier: GPL-3.0-or-later
"""Scale and shift that bring a frame's depth onto depth that is known in places. Called by `steady_frames`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

REWEIGHTINGS = 8
OUTLIER = 2.0  # residuals beyond so many median ones count little (Cauchy's weights)
FEWEST = 16  # pixels, by their weights
ALIKE_ENOUGH = 0.3  # correlation below which the two say nothing about scale
FLAT = 1e-8  # variance below which there is no scale to find
LARGEST_CHANGE = 3.0  # of the scale, from one frame to the next


@dataclass(frozen=True)
class Agreement:
    """depth * scale + shift agrees with what was known."""

    scale: float
    shift: float


def find_agreement(depth: np.ndarray, known: np.ndarray, weights: np.ndarray, before: Agreement) -> Agreement:
    """The scale and the shift of `depth`, both robust.

    Least squares would blame all noise on one side: regressed onto what is known, each frame would come out a little
    flatter than the last, and a long clip would fade. Both sides are predictions, equally noisy, so what is kept is the
    spread (the reduced major axis, Kermack & Haldane 1950).

    Args:
        depth, known, weights: [N] float64.
        before: of the frame before: kept where there is too little to go by.
    """
    if weights.sum() < FEWEST:
        return before
    scale, shift, alike = before.scale, before.shift, 0.0
    counted = weights
    for _ in range(REWEIGHTINGS):
        total = counted.sum()
        mean_depth, mean_known = counted @ depth / total, counted @ known / total
        variance = counted @ (depth - mean_depth) ** 2 / total
        variance_known = counted @ (known - mean_known) ** 2 / total
        scale = before.scale
        if min(variance, variance_known) > FLAT:
            covariance = counted @ ((depth - mean_depth) * (known - mean_known)) / total
            alike = covariance / np.sqrt(variance * variance_known)
            scale = float(np.sqrt(variance_known / variance))
            scale = float(np.clip(scale, before.scale / LARGEST_CHANGE, before.scale * LARGEST_CHANGE))
        shift = float(mean_known - scale * mean_depth)
        apart = np.abs(depth * scale + shift - known)
        typical = max(float(np.median(apart[weights > 0])), 1e-6)
        counted = weights / (1.0 + (apart / (OUTLIER * typical)) ** 2)
    if alike < ALIKE_ENOUGH:
        return Agreement(before.scale, float(mean_known - before.scale * mean_depth))
    return Agreement(scale, shift)
