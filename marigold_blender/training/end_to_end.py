# SPDX-License-Identifier: GPL-3.0-or-later
"""The second objective: a single step from zeros, judged by the decoded depth (E2E-FT, arXiv 2409.11355, section 5).

Fine-tuning a diffusion checkpoint with it yields a one-step model; it is estimated with zeros for noise.
"""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL, DDIMScheduler

from .latents import LatentBatch
from .loop import Turn


def end_to_end_loss(
    unet: torch.nn.Module,
    vae: AutoencoderKL,
    batch: LatentBatch,
    prompt: torch.Tensor,
    scheduler: DDIMScheduler,
    turn: Turn,
) -> torch.Tensor:
    """Affine-invariant error of the depth that one step from zeros decodes to.

    The truth is what the VAE makes of the true depth, so that the loss asks for nothing that the decoder cannot show.
    """
    count, last = len(batch.image), scheduler.config.num_train_timesteps - 1
    timesteps = torch.full((count,), last, device=turn.device)
    prompts = prompt.to(turn.device).expand(count, -1, -1)
    start = torch.cat([batch.image, torch.zeros_like(batch.depth)], 1)
    velocity = unet(start, timesteps, encoder_hidden_states=prompts).sample.float()
    clean = -velocity  # zero terminal SNR: v = -x0 at the last timestep
    vae.to(turn.device)
    with torch.no_grad():
        truth = vae.decode(batch.depth / vae.config.scaling_factor).sample.mean(1)  # [B, H, W]
    depth = vae.decode(clean / vae.config.scaling_factor).sample.mean(1)
    valid = torch.nn.functional.interpolate(batch.valid.float(), size=depth.shape[-2:]).bool()[:, 0]
    return affine_invariant_error(depth, truth, valid)


def affine_invariant_error(depth: torch.Tensor, truth: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Mean absolute error after the least-squares scale and shift of each picture; gradients pass through the fit.

    Args:
        depth, truth: [B, H, W]; valid: [B, H, W] bool.
    """
    weight = valid.float()
    total = weight.sum((1, 2)).clamp(min=1)

    def mean(values: torch.Tensor) -> torch.Tensor:
        return (values * weight).sum((1, 2)) / total

    mean_x, mean_y = mean(depth), mean(truth)
    dx, dy = depth - mean_x[:, None, None], truth - mean_y[:, None, None]
    scale = mean(dx * dy) / mean(dx * dx).clamp(min=1e-6)
    return mean((scale[:, None, None] * dx - dy).abs()).mean()
