# SPDX-License-Identifier: GPL-3.0-or-later
"""A depth map in memory: what `write` puts on disk and `read` takes from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..record import DepthRecord


@dataclass(frozen=True)
class DepthMap:
    """Affine-invariant depth of one photo.

    Attributes:
        depth: [H, W] float32 in [0, 1], 0 near .. 1 far, finite; 1 where invalid.
        valid: [H, W] bool, False where there is no depth (transparent); None where all of it is valid.
        uncertainty: [H, W] float32 in [0, 1]; None for a single prediction.
        record: how it came to be.
    """

    depth: np.ndarray
    valid: np.ndarray | None
    uncertainty: np.ndarray | None
    record: DepthRecord
