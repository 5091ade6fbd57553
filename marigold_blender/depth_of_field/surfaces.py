# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes a picture apart into what is seen and what lies hidden behind its edges. Called by `blurring`.

A lens sees a little around things, and through them where they are blurred away. So behind every edge in depth a second
surface is made up: the background, continued under the thing in front. And the pixels on an edge, where a sharp picture
blends both sides, are taken apart into them: otherwise a rim of the one colour stays on the other side.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch.nn.functional import max_pool2d

EDGE_PX = 1.0  # neighbours whose blur radii differ by more lie on different surfaces
PURE_REACH = 2  # how far from an edge the colours on its two sides are sought
LEAST_CONTRAST = 1e-4  # squared, relative: below it the sides of an edge have the same colour


@dataclass(frozen=True)
class Surfaces:
    """What stands at each pixel, in front and behind it.

    Attributes:
        front: [C, H, W] light of what is seen; front_cover: [H, W] its share of the pixel; front_radius: [H, W].
        hidden, hidden_cover, hidden_radius: the same of what lies behind; the cover is 0 where nothing is known of it.
    """

    front: torch.Tensor
    front_cover: torch.Tensor
    front_radius: torch.Tensor
    hidden: torch.Tensor
    hidden_cover: torch.Tensor
    hidden_radius: torch.Tensor

    def cropped(self, margin: int) -> Surfaces:
        """Without `margin` pixels on every side."""
        height, width = self.front_cover.shape
        rows, columns = slice(margin, height - margin), slice(margin, width - margin)
        return Surfaces(*(getattr(self, field.name)[..., rows, columns] for field in fields(self)))


def find_surfaces(light: torch.Tensor, radius: torch.Tensor) -> Surfaces:
    """Take a picture apart.

    Args:
        light: [C, H, W] float32, linear.
        radius: [H, W] float32, signed blur radius in pixels: the greater, the farther.
    """
    farthest, nearest = _pooled(radius), -_pooled(-radius)
    before_edge = farthest - radius > EDGE_PX
    behind_edge = radius - nearest > EDGE_PX
    surfaces = Surfaces(
        light.clone(),
        torch.ones_like(radius),
        radius.clone(),
        light.clone(),
        torch.zeros_like(radius),
        radius.clone(),
    )
    on_edge = before_edge | behind_edge
    if on_edge.any():
        _unmix(surfaces, light, radius, on_edge, nearest, farthest)
        _continue_background(surfaces, light, radius, before_edge)
    return surfaces


def _unmix(
    surfaces: Surfaces,
    light: torch.Tensor,
    radius: torch.Tensor,
    on_edge: torch.Tensor,
    nearest: torch.Tensor,
    farthest: torch.Tensor,
) -> None:
    """Split the pixels along edges into a share of the front and what is behind it, which together are what was seen.

    The colours of both sides are those of the pixels around that are on no edge; the pixel's place on the line between
    them is its cover, of which depth, sampled at its centre, says on which side of one half it is.
    """
    edge = on_edge.flatten().nonzero()[:, 0]  # [N]
    around = _around(edge, on_edge.shape, PURE_REACH)  # [N, K]
    flat, flat_radius = light.flatten(1), radius.flatten()
    low, high = nearest.flatten()[edge, None], farthest.flatten()[edge, None]  # [N, 1]
    other = flat_radius[around]
    pure = ~on_edge.flatten()[around]
    in_front = pure & (other < (low + high) / 2) & ((other - low).abs() < EDGE_PX + 0.3 * (high - low))
    behind = pure & (other >= (low + high) / 2)
    known = in_front.any(1) & behind.any(1)
    edge, around, in_front, behind = edge[known], around[known], in_front[known], behind[known]
    is_near = flat_radius[edge] < ((low + high) / 2)[known, 0]

    colours, radii = flat[:, around], flat_radius[around]
    front, front_radius = _mean(colours, in_front), _mean(radii, in_front)
    back, back_radius = _mean(colours, behind), _mean(radii, behind)
    seen, contrast = flat[:, edge], front - back
    size = (contrast * contrast).sum(0)
    cover = ((seen - back) * contrast).sum(0) / size.clamp(min=1e-12)
    same = size <= LEAST_CONTRAST * ((front * front).sum(0) + (back * back).sum(0))
    cover = torch.where(same, is_near.float(), cover)
    cover = torch.where(is_near, cover.clamp(0.5, 1.0), cover.clamp(0.0, 0.5))

    # The side that the pixel's centre is on takes up what remains, so that in focus the pixel is what it was.
    near_light = ((seen - (1 - cover) * back) / cover.clamp(min=0.5)).clamp(min=0.0)
    far_light = ((seen - cover * front) / (1 - cover).clamp(min=0.5)).clamp(min=0.0)
    _flat(surfaces.front)[:, edge] = torch.where(is_near, near_light, front)
    _flat(surfaces.front_cover)[edge] = cover
    _flat(surfaces.front_radius)[edge] = torch.where(is_near, flat_radius[edge], front_radius)
    _flat(surfaces.hidden)[:, edge] = torch.where(is_near, back, far_light)
    _flat(surfaces.hidden_cover)[edge] = 1.0
    _flat(surfaces.hidden_radius)[edge] = torch.where(is_near, back_radius, flat_radius[edge])


def _continue_background(
    surfaces: Surfaces, light: torch.Tensor, radius: torch.Tensor, before_edge: torch.Tensor
) -> None:
    """Continue what is behind an edge under what is in front, pixel by pixel, as far as any lens point may see it.

    That is as far as the front is blurred into transparency, and once more as far as the background is blurred.
    """
    shape = radius.shape
    flat_front_radius = _flat(surfaces.front_radius)
    hidden, cover, hidden_radius = (
        _flat(surfaces.hidden),
        _flat(surfaces.hidden_cover),
        _flat(surfaces.hidden_radius),
    )
    # What to continue from: pixels taken apart, and the plain neighbours behind an edge.
    seeds = (before_edge.flatten() & (cover == 0)).nonzero()[:, 0]
    around = _around(seeds, shape, 1)
    farther = radius.flatten()[around] - radius.flatten()[seeds, None] > EDGE_PX
    hidden[:, seeds] = _mean(light.flatten(1)[:, around], farther)
    hidden_radius[seeds] = _mean(radius.flatten()[around], farther)
    cover[seeds] = 1.0

    front = cover.nonzero()[:, 0]
    reach = torch.zeros_like(cover)
    reach[front] = flat_front_radius[front].abs() + hidden_radius[front].abs() + 2.0
    owner = torch.zeros(cover.shape, dtype=torch.int64, device=cover.device)
    while True:
        front = front[reach[front] > 1.0]
        new = _around(front, shape, 1).flatten()
        new = new[cover[new] == 0]
        owner[new] = torch.arange(len(new), device=new.device)
        new = new[owner[new] == torch.arange(len(new), device=new.device)]  # each once
        if len(new) == 0:
            return
        around = _around(new, shape, 1)
        from_here = (cover[around] > 0) & (reach[around] > 1.0)
        from_here &= hidden_radius[around] - flat_front_radius[new, None] > EDGE_PX  # it must lie behind
        fits = from_here.any(1)
        new, around, from_here = new[fits], around[fits], from_here[fits]
        if len(new) == 0:
            return
        made, made_radius = _mean(hidden[:, around], from_here), _mean(hidden_radius[around], from_here)
        left = torch.where(from_here, reach[around], 0.0).amax(1) - 1.0
        hidden[:, new], hidden_radius[new], reach[new], cover[new] = made, made_radius, left, 1.0
        front = new


def _flat(values: torch.Tensor) -> torch.Tensor:
    """[..., H, W] as [..., H W] of the same memory, so that what is written there is written to the map."""
    return values.view(*values.shape[:-2], -1)


def _pooled(values: torch.Tensor) -> torch.Tensor:
    """The greatest value of each pixel and its eight neighbours, [H, W]."""
    return max_pool2d(values[None, None], 3, stride=1, padding=1)[0, 0]


def _around(pixels: torch.Tensor, shape: torch.Size, reach: int) -> torch.Tensor:
    """Flat indices [N, (2 reach + 1)²] of the pixels around flat indices [N], repeated at the border."""
    height, width = shape
    step = torch.arange(-reach, reach + 1, device=pixels.device)
    y = (pixels[:, None] // width + step).clamp(0, height - 1)  # [N, 2 reach + 1]
    x = (pixels[:, None] % width + step).clamp(0, width - 1)
    return (y[:, :, None] * width + x[:, None, :]).flatten(1)


def _mean(values: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """Mean over the last axis of values [..., N, K] where [N, K] is true; 0 where it never is."""
    return (values * where).sum(-1) / where.sum(-1).clamp(min=1)
