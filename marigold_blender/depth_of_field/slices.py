# SPDX-License-Identifier: GPL-3.0-or-later
"""Divides the range of blur radii into slices that are blurred each as one. Called by `compositing`.

A radius between two slices is shared out to both in proportion, so that blur changes without steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .bokeh import SHARP

RATIO = 1.12  # from one slice's radius to the next
STEP_PX = 0.5  # but at least this far apart


@dataclass(frozen=True)
class Shares:
    """Which slices a map of radii belongs to.

    Attributes:
        lower: [H, W] int64, index of the slice nearer to the viewer; the other one is the next.
        upper_share: [H, W] float32 in [0, 1], what the next slice has of it.
    """

    lower: torch.Tensor
    upper_share: torch.Tensor

    def of_slice(self, index: int) -> torch.Tensor:
        """What a slice has of each pixel: [H, W] float32 in [0, 1]."""
        mine = torch.where(self.lower == index, 1.0 - self.upper_share, 0.0)
        return mine + torch.where(self.lower == index - 1, self.upper_share, 0.0)


def slice_radii(nearest: float, farthest: float) -> list[float]:
    """Signed radii of the slices, in pixels, front to back; 0 stands for all that is sharp.

    Args:
        nearest, farthest: the least and the greatest signed radius there is.
    """
    return [-radius for radius in reversed(_sizes(-nearest))] + [0.0] + _sizes(farthest)


def _sizes(largest: float) -> list[float]:
    sizes = [SHARP]
    while sizes[-1] < largest:
        sizes.append(max(sizes[-1] + STEP_PX, sizes[-1] * RATIO))
    return sizes[1:]


def share_out(radius: torch.Tensor, radii: list[float]) -> Shares:
    """Shares of a map of signed radii [H, W] in the slices `radii`, which reach from its least to its greatest."""
    if len(radii) == 1:
        return Shares(torch.zeros_like(radius, dtype=torch.int64), torch.zeros_like(radius))
    ends = _beyond_sharp(torch.tensor(radii, dtype=radius.dtype, device=radius.device))
    blur = _beyond_sharp(radius).contiguous()
    upper = torch.searchsorted(ends, blur, right=True).clamp(1, len(radii) - 1)
    low, high = ends[upper - 1], ends[upper]
    return Shares(upper - 1, ((blur - low) / (high - low)).clamp(0.0, 1.0))


def _beyond_sharp(radius: torch.Tensor) -> torch.Tensor:
    """Signed radii with what is sharp drawn together into 0."""
    return radius.sign() * (radius.abs() - SHARP).clamp(min=0.0)
