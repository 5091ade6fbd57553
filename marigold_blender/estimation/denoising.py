# SPDX-License-Identifier: GPL-3.0-or-later
"""Marigold's three passes: the photo to latents, noise to depth latents, latents to depth. Called by `estimator`.

Written out with diffusers' modules (Ke et al., CVPR 2024, section 3.4, and `MarigoldDepthPipeline`), because the stock
pipeline can neither be cancelled nor report true progress.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from diffusers import LCMScheduler

from .checkpoint import Checkpoint
from .noise import NoiseStream, draw


def encode(checkpoint: Checkpoint, image: torch.Tensor) -> torch.Tensor:
    """The photo's latent: the mean of the VAE's distribution, scaled.

    Args:
        image: [1, 3, PPH, PPW] in [-1, 1].

    Returns:
        [1, 4, h, w] float32.
    """
    distribution = checkpoint.vae.encode(image).latent_dist
    return distribution.mode().float() * checkpoint.vae.config.scaling_factor


def denoise(
    checkpoint: Checkpoint,
    image_latent: torch.Tensor,
    streams: Sequence[NoiseStream],
    steps: int,
    step_done: Callable[[], None],
) -> torch.Tensor:
    """Depth latents of one batch of ensemble members.

    Args:
        image_latent: [1, 4, h, w] float32; latents stay in single precision between the steps.
        streams: one noise stream a member (B of them); the first draw is the starting latent.
        steps: denoising steps.
        step_done: called after every step.

    Returns:
        [B, 4, h, w] float32.
    """
    batch = len(streams)
    condition = image_latent.expand(batch, -1, -1, -1)  # [B, 4, h, w]
    text = checkpoint.empty_text.to(checkpoint.unet.dtype).expand(batch, -1, -1)  # [B, 2, C]
    latent = torch.zeros_like(condition) if checkpoint.zero_noise else draw(streams, condition)  # [B, 4, h, w]
    scheduler = checkpoint.new_scheduler(steps)
    for index, timestep in enumerate(scheduler.timesteps):
        both = torch.cat([condition, latent], dim=1).to(checkpoint.unet.dtype)  # [B, 8, h, w]
        prediction = checkpoint.unet(both, timestep, encoder_hidden_states=text, return_dict=False)[0]  # [B, 4, h, w]
        if isinstance(scheduler, LCMScheduler):
            latent = _lcm_step(scheduler, prediction, index, latent, streams)
        else:
            latent = scheduler.step(prediction, timestep, latent, return_dict=False)[0]
        step_done()
    return latent


def _lcm_step(
    scheduler: LCMScheduler, prediction: torch.Tensor, index: int, latent: torch.Tensor, streams: Sequence[NoiseStream]
) -> torch.Tensor:
    """One step of the consistency sampler (Luo et al. 2023, algorithm 3), with its noise from the members' streams.

    The scheduler draws noise for a whole batch from one generator, so a member's would depend on its batch: its own
    draw is thrown away, and the denoised latent is noised again here.
    """
    timestep = scheduler.timesteps[index]
    denoised = scheduler.step(prediction, timestep, latent, generator=torch.Generator("cpu"), return_dict=False)[1]
    if index == len(scheduler.timesteps) - 1:
        return denoised
    kept = scheduler.alphas_cumprod[scheduler.timesteps[index + 1]]
    return kept.sqrt() * denoised + (1 - kept).sqrt() * draw(streams, denoised)


def decode(checkpoint: Checkpoint, latent: torch.Tensor) -> torch.Tensor:
    """Depth of each member: the mean of the decoder's three channels.

    Args:
        latent: [B, 4, h, w].

    Returns:
        [B, PPH, PPW] float32 in [0, 1], 0 near.
    """
    scaled = (latent / checkpoint.vae.config.scaling_factor).to(checkpoint.vae.dtype)
    picture = checkpoint.vae.decode(scaled, return_dict=False)[0]  # [B, 3, PPH, PPW]
    return (picture.mean(dim=1).clip(-1.0, 1.0) + 1.0) / 2.0
