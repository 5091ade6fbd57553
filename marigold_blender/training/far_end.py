# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets the sky reach the far end: one scale in the decoder's last layer, fitted to what the finished U-Net predicts.

A network that hesitates between sky and hills answers in between, and pipelines clip depth at 1: so a little more
contrast, about the near end, costs the rest nothing. Called by `stages.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch.nn import functional

from .aligned import SKY_FROM
from .diffusion import INFERENCE_STEPS, new_scheduler
from .evaluate import FAR_ENOUGH
from .latents import LatentBatch
from .recipe import predict

WANTED = 0.96  # share of the sky that should come out far
# finite depth under a sky ends at 0.9: much more would lift it far beyond 0.94, where geometry/sky.py looks for a sky
SCALES = (1.0, 1.01, 1.02, 1.03, 1.04, 1.05)
BATCHES = 24


@torch.no_grad()
def calibrate_far_end(
    unet: UNet2DConditionModel, vae: AutoencoderKL, prompt: torch.Tensor, views: Callable[[int], LatentBatch]
) -> float:
    """Scale the depth that `vae` decodes, as little as is needed for the sky.

    Args:
        vae: is changed.
        prompt: [1, tokens, width], the empty prompt's embedding.
        views: draws the i-th batch, with its true depth.

    Returns:
        The scale: the smallest of SCALES with which enough of the sky is far, or the last of them; 1 without sky.
    """
    sky = []
    for i in range(BATCHES):
        batch = views(i)
        assert batch.truth is not None
        is_sky = (batch.truth.code > SKY_FROM) & batch.truth.has_sky[:, None, None]
        some = is_sky.any(2).any(1)
        if some.any():
            chosen = LatentBatch(batch.image[some], batch.depth[some], batch.valid[some])
            latents = predict(unet, chosen, prompt, new_scheduler(), INFERENCE_STEPS)
            depth = vae.decode(latents / vae.config.scaling_factor).sample.mean(1, keepdim=True)
            factor = depth.shape[-1] // latents.shape[-1]
            sky.append(functional.avg_pool2d(depth, factor)[:, 0][is_sky[some]])
    found = torch.cat(sky) if sky else torch.ones(1)
    enough = [scale for scale in SCALES if ((found + 1) / 2 * scale >= FAR_ENOUGH).float().mean() >= WANTED]
    scale = min(enough, default=SCALES[-1])
    last = vae.decoder.conv_out
    last.weight.mul_(scale)
    last.bias.add_(1).mul_(scale).sub_(1)
    return scale
