# SPDX-License-Identifier: GPL-3.0-or-later
"""What the decoder learns from the finished U-Net's own estimates: where the sky begins, and what blurs mean.

A network that hesitates between sky and hills predicts latents in between. Pixels that are sky by more than a small
chance come out at 0.9, where depth counts as far; only the likely ones beyond 0.94, where geometry/sky.py cuts the sky
out. Called by `decoder.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from ..estimation.devices import has_bfloat16
from .aligned import SKY_FROM
from .dataset import SampleFile
from .depth_range import FAR_END_UNDER_SKY, Sky
from .diffusion import new_scheduler
from .latents import encode_views
from .loop import Turn
from .recipe import empty_prompt, predict
from .unet import PROMPT_WIDTH
from .views import ASPECTS, TrainingView, training_view

CROPPED = 0.25  # share of the batches
DRAWS = 8  # pictures drawn for each view wanted, at most: a batch is of one size, pictures are of several
STEPS = (1, 4)  # of the estimates, one as often as the other
# in -1..1, where finite depth under a sky ends at 0.8
MAYBE_SKY, MAYBE_WEIGHT = 0.84, 3.0  # what may be sky should come out at least here
SURE_SKY, SURE_WEIGHT = 1.03, 0.7  # and what is, here: beyond the end, since pipelines clip
TOO_FAR, TOO_FAR_WEIGHT = 0.82, 1.0  # finite depth under a sky should not pass this
SCALES = (0.5, 1.2)  # of the truth, fitted to an estimate that is wrong as a whole


@dataclass(frozen=True)
class EstimatedViews:
    """Views as the U-Net estimates them.

    Attributes:
        latent: [B, 4, h, w], predicted depth, not times the scaling factor.
        truth: [B, H, W] in -1..1; valid: [B, H, W] bool.
        has_sky: [B] bool, it is supervised as far.
    """

    latent: torch.Tensor
    truth: torch.Tensor
    valid: torch.Tensor
    has_sky: torch.Tensor


@torch.no_grad()
def estimated_views(
    samples: Sequence[SampleFile],
    unet: UNet2DConditionModel,
    vae: AutoencoderKL,
    turn: Turn,
    batch: int,
    long_side: int,
    sky: Sky,
) -> EstimatedViews:
    """Estimate random views, most of which should be of pictures that the U-Net was not trained on."""
    rng = turn.rng()
    views = _views_of_one_size(samples, rng, batch, long_side, sky)
    vae.to(turn.device)
    unet.to(turn.device)
    steps = STEPS[rng.integers(len(STEPS))]
    seed = int(rng.integers(2**62))
    with torch.autocast(turn.device.type, torch.bfloat16, enabled=has_bfloat16(turn.device)):
        latent = predict(
            unet, encode_views(vae, views), empty_prompt(PROMPT_WIDTH), new_scheduler(), steps, seed
        ).float()
    truth = torch.from_numpy(np.stack([view.depth for view in views])).to(turn.device)
    valid = torch.from_numpy(np.stack([view.valid for view in views])).to(turn.device)
    has_sky = torch.tensor([view.has_sky for view in views], device=turn.device)
    return EstimatedViews(latent / vae.config.scaling_factor, truth, valid, has_sky)


def _views_of_one_size(
    samples: Sequence[SampleFile], rng: np.random.Generator, batch: int, long_side: int, sky: Sky
) -> list[TrainingView]:
    """Mostly whole views, as pipelines see pictures; some crops."""
    if rng.random() < CROPPED:
        aspect = ASPECTS[rng.integers(len(ASPECTS))]
        chosen = [samples[i].read() for i in rng.integers(0, len(samples), batch)]
        return [training_view(sample, rng, long_side, sky, whole=False, aspect=aspect) for sample in chosen]
    views: list[TrainingView] = []
    for i in rng.integers(0, len(samples), batch * DRAWS):
        view = training_view(samples[i].read(), rng, long_side, sky, whole=True)
        if not views or view.depth.shape == views[0].depth.shape:
            views.append(view)
        if len(views) == batch:
            break
    return views


def estimate_loss(depth: torch.Tensor, views: EstimatedViews) -> torch.Tensor:
    """The error of decoded estimates, [B, H, W].

    No decoder can mend what an estimate has wrong as a whole, so finite depth is compared with the truth scaled and
    shifted to it. Sky that is too near counts, and finite depth that reaches into it.
    """
    has_sky = views.has_sky[:, None, None]
    sky = views.valid & has_sky & (views.truth > SKY_FROM)
    finite = views.valid & ~sky
    wanted = _scaled_to(depth.detach(), views.truth, finite)
    wanted = torch.where(has_sky, wanted.clamp(max=FAR_END_UNDER_SKY), wanted).clamp(-1, 1)
    near_sky = MAYBE_WEIGHT * (MAYBE_SKY - depth).clamp(min=0) + SURE_WEIGHT * (SURE_SKY - depth).clamp(min=0)
    too_far = TOO_FAR_WEIGHT * (depth - TOO_FAR).clamp(min=0)
    error = sky * near_sky + finite * (depth - wanted).abs() + (finite & has_sky) * too_far
    return error.sum() / views.valid.sum().clamp(min=1)


@torch.no_grad()
def _scaled_to(depth: torch.Tensor, truth: torch.Tensor, finite: torch.Tensor) -> torch.Tensor:
    share = finite.float()
    count = share.sum((1, 2), keepdim=True).clamp(min=1)

    def mean(values: torch.Tensor) -> torch.Tensor:
        return (values * share).sum((1, 2), keepdim=True) / count

    apart, apart_true = depth - mean(depth), truth - mean(truth)
    scale = mean(apart * apart_true) / (mean(apart_true.square()) + 1e-4)
    return apart_true * scale.clamp(*SCALES) + mean(depth)
