# SPDX-License-Identifier: GPL-3.0-or-later
"""Mattes by distance, as the compositor's node group makes them (`depth_of_field_group`). Called by the worker."""

from __future__ import annotations

import numpy as np

from ..matte_settings import MatteSettings

SHARPEST = 1e-6  # a matte without softness is a step


def mattes_by_distance(distance: np.ndarray, settings: MatteSettings) -> np.ndarray:
    """What is nearer than the mask, the mask, and what is farther.

    Args:
        distance: [H, W] planar distance; inf: the sky.

    Returns:
        [H, W, 3] float32 in [0, 1].
    """
    softness = max(settings.softness, SHARPEST)

    def beyond(end: float) -> np.ndarray:
        return ((distance - end) / softness + 0.5).clip(0.0, 1.0)

    near, far = 1.0 - beyond(settings.near), beyond(settings.far)
    mask = (1.0 - near - far).clip(0.0, 1.0)
    return np.stack([near, mask, far], axis=-1).astype(np.float32)
