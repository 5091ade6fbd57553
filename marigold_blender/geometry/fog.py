# SPDX-License-Identifier: GPL-3.0-or-later
"""Fog by distance, as light is lost in it (Beer and Lambert): what is left is e^(−density · way).

Layered fog thins exponentially upwards. Along a ray that climbs by h, its mean density is that at the camera times
(1 − e^−q) / q with q = h / H. The compositor's node group has the same formulas (`scene.depth_of_field_group`).
"""

from __future__ import annotations

import numpy as np

from ..fog_settings import FogSettings

DENSEST = 30.0  # exponent of the fog far below the camera: e^30 leaves nothing to see


def add_fog(light: np.ndarray, distance: np.ndarray, focal_px: float, fog: FogSettings) -> np.ndarray:
    """The picture in fog.

    Args:
        light: [H, W, 3] float32, linear, or [H, W, 4] with colours multiplied with alpha, which stays.
        distance: [H, W] planar distance; inf: the sky.
        focal_px: of the camera that sees along the middle of the picture.

    Returns:
        [H, W, C] float32.
    """
    swallowed = _swallowed(distance, focal_px, fog)[..., None]
    fogged = light.copy()
    own = np.array(fog.colour, np.float32) * swallowed
    if light.shape[2] == 4:
        own = own * light[..., 3:]
    fogged[..., :3] = light[..., :3] * (1.0 - swallowed) + own
    return fogged


def _swallowed(distance: np.ndarray, focal_px: float, fog: FogSettings) -> np.ndarray:
    """The share of the light that the fog takes: [H, W] float32."""
    height, width = distance.shape
    x = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / focal_px
    y = (height / 2 - np.arange(height, dtype=np.float32)[:, None] - 0.5) / focal_px
    far = np.minimum(distance, np.float32(1e10))  # the sky, as Blender's Z pass has it
    way = np.maximum(far - fog.start, 0.0) * np.sqrt(x * x + y * y + 1.0)
    mean: np.ndarray = np.ones((), np.float32)
    if fog.height > 0.0:
        climb = x * fog.up[0] + y * fog.up[1] - fog.up[2]
        q = np.maximum(far * climb / fog.height, -DENSEST)
        mean = np.where(q == 0.0, 1.0, -np.expm1(-q) / np.where(q == 0.0, 1.0, q))
    return (1.0 - np.exp(-fog.density * way * mean)).astype(np.float32)
