# SPDX-License-Identifier: GPL-3.0-or-later
"""Blurs the slices of a picture's surfaces and lays them over each other, front to back. Called by `blurring`.

Every slice is spread by its own bokeh. What a slice covers of a pixel after that is the share of the lens that sees it
there. Slices of the same surface complete each other, so shares are added up, from the front on, until the lens is used
up: what is then left of slices behind is hidden by what is in front.
"""

from __future__ import annotations

import torch

from .bokeh import Bokeh, bokeh_kernel
from .slices import share_out, slice_radii
from .surfaces import Surfaces

LEAST_COVER = 1e-5  # below it is rounding
BRIGHT = 1000.0  # from here on transforms in 32 bits would leave a veil of noise


def composite(surfaces: Surfaces, bokeh: Bokeh) -> torch.Tensor:
    """The light of the blurred picture, [C, H, W], right where all that reaches a pixel lies within the frame."""
    known = surfaces.hidden_cover > 0
    radii = torch.cat([surfaces.front_radius.flatten(), surfaces.hidden_radius[known]])
    slices = slice_radii(float(radii.min()), float(radii.max()))
    in_front, behind = share_out(surfaces.front_radius, slices), share_out(surfaces.hidden_radius, slices)
    front = _covered(surfaces.front, surfaces.front_cover)  # [C + 1, H, W]
    hidden = _covered(surfaces.hidden, surfaces.hidden_cover)
    has_hidden = bool(known.any())

    light = torch.zeros_like(surfaces.front)
    lens_left = torch.ones_like(surfaces.front_cover)
    for index, radius in enumerate(slices):
        share = in_front.of_slice(index)
        content = front * share
        if has_hidden:
            share_behind = behind.of_slice(index) * known
            content += hidden * share_behind
            share = share + share_behind
        box = _box(share)
        if box is None:
            continue
        top, bottom, left, right = box
        spread, (top, bottom, left, right) = _spread(content, bokeh_kernel(radius, bokeh), top, bottom, left, right)
        cover = spread[-1].clamp(min=0.0)
        left_here = lens_left[top:bottom, left:right]
        used = torch.minimum(left_here, cover)
        light[:, top:bottom, left:right] += spread[:-1] * torch.where(cover > LEAST_COVER, used / cover, 0.0)
        left_here -= used
    return light / (1.0 - lens_left).clamp(min=LEAST_COVER)


def _covered(light: torch.Tensor, cover: torch.Tensor) -> torch.Tensor:
    return torch.cat([light * cover, cover[None]])


def _box(share: torch.Tensor) -> tuple[int, int, int, int] | None:
    """Top, bottom, left and right of what is not 0, or None."""
    rows, columns = share.amax(1).nonzero()[:, 0], share.amax(0).nonzero()[:, 0]
    if len(rows) == 0:
        return None
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _spread(
    content: torch.Tensor, kernel: torch.Tensor, top: int, bottom: int, left: int, right: int
) -> tuple[torch.Tensor, tuple[int, int, int, int]]:
    """Convolve the part of `content` [C, H, W] in a box with a kernel; the result and its box, kept in the frame."""
    part = content[:, top:bottom, left:right]
    half = kernel.shape[0] // 2
    if half == 0:
        return part, (top, bottom, left, right)
    exact = torch.float64 if float(part.abs().amax()) > BRIGHT else torch.float32
    height, width = part.shape[-2:]
    size = (_fast_length(height + 2 * half), _fast_length(width + 2 * half))
    transformed = torch.fft.rfft2(part.to(exact), s=size)
    transformed *= torch.fft.rfft2(kernel.to(part.device, exact), s=size)
    whole = torch.fft.irfft2(transformed, s=size).to(part.dtype)
    frame_height, frame_width = content.shape[-2:]
    y0, y1 = max(0, top - half), min(frame_height, bottom + half)
    x0, x1 = max(0, left - half), min(frame_width, right + half)
    y, x = y0 - (top - half), x0 - (left - half)
    return whole[:, y : y + y1 - y0, x : x + x1 - x0], (y0, y1, x0, x1)


def _fast_length(length: int) -> int:
    """The next length whose prime factors are 2, 3 and 5: others transform several times slower."""
    while True:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1
