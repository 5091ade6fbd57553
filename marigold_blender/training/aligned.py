# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts what evaluation counts: the error of depth after the picture's own scale and shift, read from latents.

Decoding would take two thirds of the time of a step, so depth is read from the latents by one linear map, which tells
99.8 % of its variance. Called by `diffusion.py`; the demo's last stage trains with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional

from .depth_range import FAR_END_UNDER_SKY
from .latents import LatentBatch

FIT_BATCHES = 8
RIDGE = 1e-6
RELATIVE = 0.15  # weight of the relative error, which is several times as large as that of the range
NEAREST = 0.05  # of the range: nearer than this, relative errors count no more than here
SKY = 2.5  # weight of sky that is not far, and of finite depth that reaches into it
PLAIN = 0.35  # weight of the error without alignment: the depth of [-1, 1] must not drift away
SKY_FROM = 0.97  # of [-1, 1]
FEWEST = 200  # finite latents that a scale can be fitted to


@dataclass(frozen=True)
class DepthReadout:
    """A 3 x 3 convolution: depth latents [B, 4, h, w] to the depth in -1..1 of the pixels under each, [B, h, w]."""

    weight: torch.Tensor  # [1, 4, 3, 3]
    bias: torch.Tensor  # [1]

    def __call__(self, latents: torch.Tensor) -> torch.Tensor:
        padded = functional.pad(latents, (1, 1, 1, 1), mode="replicate")
        weight, bias = self.weight.to(latents.device), self.bias.to(latents.device)
        return functional.conv2d(padded, weight, bias)[:, 0]


def fit_readout(views: Callable[[int], LatentBatch]) -> DepthReadout:
    """Fit the map by least squares to the views that `views(i)` draws, which must hold their depth."""
    rows, wanted = [], []
    for i in range(FIT_BATCHES):
        batch = views(i)
        padded = functional.pad(batch.depth, (1, 1, 1, 1), mode="replicate")
        rows.append(functional.unfold(padded, 3).mT.flatten(0, 1))  # [B h w, 36]
        assert batch.truth is not None
        wanted.append(batch.truth.code.flatten())
    design = torch.cat(rows).double()
    design = torch.cat([design, torch.ones(len(design), 1, dtype=torch.double)], 1)
    gram = design.T @ design
    gram += torch.diag(RIDGE * gram.diagonal().mean().expand(len(gram)))
    solution = torch.linalg.solve(gram, design.T @ torch.cat(wanted).double())[:, None].float()
    return DepthReadout(solution[:-1].view(1, 4, 3, 3), solution[-1])


def aligned_loss(depth: torch.Tensor, batch: LatentBatch, counts: torch.Tensor) -> torch.Tensor:
    """What evaluation measures, of predicted depth.

    Args:
        depth: [B, h, w] in -1..1, predicted; beyond that it is clipped, as pipelines clip it.
        batch: with the views' true depth.
        counts: [B] bool, the views that count.

    Raises:
        ValueError: the views come without it.

    Returns:
        The mean over those views of: the error as a share of the picture's range after the least-squares scale and
        shift; the relative error, weighted; sky that falls short of the far end; the error in -1..1 without alignment.
    """
    if batch.truth is None:
        raise ValueError("The aligned error needs the views' true depth.")
    depth, truth, nearest = depth.clamp(-1, 1), batch.truth.code, batch.truth.nearest[:, None, None]
    supervised = batch.valid[:, 0]
    has_sky = batch.truth.has_sky[:, None, None]
    sky = has_sky & (truth > SKY_FROM)
    finite = supervised & ~(
        has_sky & (truth > FAR_END_UNDER_SKY + 0.02)
    )  # latents that sky and finite depth share are neither
    far_end = torch.where(has_sky, FAR_END_UNDER_SKY, 1.0)
    unit = torch.where(finite, (truth + 1) / (far_end + 1), 0.0)  # the truth, 0 at its near end and 1 at its far end
    share = finite.float()
    count = share.sum((1, 2)).clamp(min=1)

    def mean(values: torch.Tensor) -> torch.Tensor:
        return (values * share).sum((1, 2), keepdim=True) / count[:, None, None]

    apart, apart_true = depth - mean(depth), unit - mean(unit)
    scale = mean(apart * apart_true) / (mean(apart.square()) + 1e-3)
    error = ((apart * scale + mean(unit)).clamp(0, 1) - unit).abs()
    relative = error / (nearest + unit).clamp(min=NEAREST)
    fitted = (counts & (count > FEWEST)).float()
    of_range = _over(fitted, mean(error)[:, 0, 0] + RELATIVE * mean(relative)[:, 0, 0])
    short = (SKY_FROM - depth).clamp(min=0) * sky
    beyond = (depth - FAR_END_UNDER_SKY).clamp(min=0) * (share * has_sky)
    plain = (depth - truth).abs() * supervised / 2
    return of_range + _over(counts.float(), (SKY * (short + beyond) + PLAIN * plain).mean((1, 2)))


def _over(weight: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    return (weight * values).sum() / weight.sum().clamp(min=1)
