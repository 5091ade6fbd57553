# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives estimated depth its edges back: where it slides from one surface to another, pixels take one side by colour.

Called by `job` for depth that a network estimated, which is smaller than the picture and soft at edges: a slope there
would be in focus somewhere along it, a sharp rim between two blurred things. True depth has steps and is left alone.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn.functional import max_pool2d

# A plane's blur radius changes by the radius of the lens over the plane's distance from it, in pixels per pixel: what
# is steeper than this is no surface but a slide between two.
STEEP = 0.3
LEAST_STEP_PX = 1.0  # of blur radius, between two surfaces
SIDE = 0.3  # what lies within this share of a step from its end belongs to that side
SAMPLES = 9  # along each axis of the window in which the two sides are looked for
LEAST_SPREAD = 0.02  # of colours (square root of light) within one side
BATCH = 20_000  # pixels at a time


def snap_edges(light: np.ndarray, radius: np.ndarray, softness_px: float) -> np.ndarray:
    """Blur radii with steps in the place of slides.

    Args:
        light: [H, W, C] float32, linear.
        radius: [H, W] float32, signed blur radius in pixels.
        softness_px: how wide the depth's slides are: about two pixels of the size that the network saw.

    Returns:
        [H, W] float32.
    """
    reach = math.ceil(softness_px)
    if reach < 1:
        return radius
    cores = torch.get_num_threads()
    torch.set_num_threads(1)  # many small steps: see `blurring`
    try:
        return _snapped(light, radius, reach)
    finally:
        torch.set_num_threads(cores)


def _snapped(light: np.ndarray, radius: np.ndarray, reach: int) -> np.ndarray:
    blur = torch.from_numpy(radius)
    steep = (_greatest(blur, 1) + _greatest(-blur, 1)) > 2 * STEEP
    nearest, farthest = -_greatest(-blur, reach), _greatest(blur, reach)
    sliding = (steep & (farthest - nearest > LEAST_STEP_PX)).flatten().nonzero()[:, 0]
    colours = torch.from_numpy(light).flatten(0, 1).clamp(min=0.0).sqrt()  # [H W, C], about as they are seen
    snapped = blur.flatten().clone()
    plain = ~steep.flatten()
    for start in range(0, len(sliding), BATCH):
        pixels = sliding[start : start + BATCH]
        low, high = nearest.flatten()[pixels], farthest.flatten()[pixels]  # [N]
        around = _window(pixels, blur.shape, reach + 1)  # [N, K]
        place = (blur.flatten()[around] - low[:, None]) / (high - low)[:, None]  # 0 near .. 1 far
        in_front, behind = plain[around] & (place < SIDE), plain[around] & (place > 1 - SIDE)
        known = in_front.any(1) & behind.any(1)
        is_near = _unlike(colours, pixels, around, in_front) < _unlike(colours, pixels, around, behind)
        is_near = torch.where(known, is_near, blur.flatten()[pixels] < (low + high) / 2)
        near_radius = torch.where(known, _mean(blur.flatten()[around], in_front), low)
        far_radius = torch.where(known, _mean(blur.flatten()[around], behind), high)
        snapped[pixels] = torch.where(is_near, near_radius, far_radius)
    return snapped.reshape(blur.shape).numpy()


def _unlike(colours: torch.Tensor, pixels: torch.Tensor, around: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """How far each pixel's colour is from those of one side, in their own spread: [N]."""
    side = colours[around]  # [N, K, C]
    count = where.sum(1, keepdim=True).clamp(min=1)
    mean = (side * where[..., None]).sum(1) / count  # [N, C]
    spread = (((side - mean[:, None]) ** 2) * where[..., None]).sum(1) / count + LEAST_SPREAD**2
    return (((colours[pixels] - mean) ** 2) / spread + spread.log()).sum(1)


def _mean(values: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    return (values * where).sum(1) / where.sum(1).clamp(min=1)


def _greatest(values: torch.Tensor, reach: int) -> torch.Tensor:
    """The greatest value within `reach` pixels along both axes, [H, W]."""
    along = max_pool2d(values[None, None], (1, 2 * reach + 1), stride=1, padding=(0, reach))
    return max_pool2d(along, (2 * reach + 1, 1), stride=1, padding=(reach, 0))[0, 0]


def _window(pixels: torch.Tensor, shape: torch.Size, reach: int) -> torch.Tensor:
    """Flat indices [N, K] of a lattice of pixels around flat indices [N]."""
    height, width = shape
    step = torch.linspace(-reach, reach, min(2 * reach + 1, SAMPLES)).round().long()
    y = (pixels[:, None] // width + step).clamp(0, height - 1)
    x = (pixels[:, None] % width + step).clamp(0, width - 1)
    return (y[:, :, None] * width + x[:, None, :]).flatten(1)
