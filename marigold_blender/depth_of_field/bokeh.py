# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of a point out of focus: a disc, or the polygon of an aperture with few blades. Called by `compositing`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch

SHARP = 0.5  # a radius up to this stays within its pixel
SUBPIXELS = 6  # along each axis, on which a pixel's share is counted


@dataclass(frozen=True)
class Bokeh:
    """The aperture's shape, as a Blender camera has it.

    Attributes:
        blades: corners of the polygon; fewer than 3: a disc.
        rotation: of the polygon in radians, counter-clockwise as the background shows it.
    """

    blades: int = 0
    rotation: float = 0.0


@lru_cache(maxsize=256)
def bokeh_kernel(radius: float, bokeh: Bokeh) -> torch.Tensor:
    """The light of one point spread over pixels: [n, n] float32 with the sum 1, the point in its middle.

    Args:
        radius: in pixels, of the disc, or of the circle through the polygon's corners; negative in front of the focus,
            where the image of the aperture stands on its head.
    """
    size = abs(radius)
    if size <= SHARP:
        return torch.ones(1, 1)
    half = math.ceil(size - 0.5)
    count = (2 * half + 1) * SUBPIXELS
    along = (torch.arange(count, dtype=torch.float32) + 0.5) / SUBPIXELS - (half + 0.5)
    x, y = along[None, :], -along[:, None]  # y upwards
    if bokeh.blades < 3:
        inside = x * x + y * y <= size * size
    else:
        inside = torch.ones(count, count, dtype=torch.bool)
        step = 2.0 * math.pi / bokeh.blades
        turned = bokeh.rotation + (math.pi if radius < 0 else 0.0)
        apothem = size * math.cos(step / 2)
        for blade in range(bokeh.blades):  # each side's outward normal; corners lie half a step on, as in Cycles
            angle = turned + blade * step
            inside &= x * math.cos(angle) + y * math.sin(angle) <= apothem
    share = inside.float().reshape(2 * half + 1, SUBPIXELS, 2 * half + 1, SUBPIXELS).mean((1, 3))
    return share / share.sum()
