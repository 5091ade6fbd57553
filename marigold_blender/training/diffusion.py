# SPDX-License-Identifier: GPL-3.0-or-later
"""The diffusion objective: v-prediction under zero terminal SNR, on latents, where the truth is valid."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from diffusers import DDIMScheduler
from torch.nn import functional

from .aligned import DepthReadout, aligned_loss
from .latents import LatentBatch
from .loop import Turn
from .mirrored import beside_mirrored, twins_mean
from .noise import multi_resolution_noise


@dataclass(frozen=True)
class DiffusionSettings:
    """The paper's recipe is the default.

    Attributes:
        noise_strength: of multi-resolution noise; 0 is plain noise.
        multi_share: share of batches with multi-resolution noise; the rest is plain, as at inference.
        terminal_share: share of views trained at the last timestep, where every estimate starts; 0 as in the paper.
        inference_share: share of the other views at the timesteps after the first of INFERENCE_STEPS steps; 0 as in the
            paper.
        own_share: share of the other views whose noisy depth is made of the network's own first estimate instead of the
            truth, 0 as in the paper. So the later steps learn to mend what the first one gets wrong, as they must at
            inference; else a small network trusts it and sharpens its errors (DDP's self-aligned denoising, Ji 2023).
        second_share: of those, the share made of a second estimate, from a timestep between that and
            the last, as DDIM's third step meets it.
        coarse: block sizes in latents over which the error is averaged and counted once more, () as in the paper: what
            is learnt from nothing is the layout first, and most of the plain error is detail that nobody can foresee.
        robust: error of a latent, in its four channels together, from where on it counts by its length instead of its
            square (pseudo-Huber); 0 as in the paper. Where a picture may be read in two ways the square teaches their
            mean, which is neither: blurred figures, and skies half-way to the hills.
        aligned: weight of the error that evaluation measures (see aligned.py), of views that the network estimates on
            its own: at the last timestep, and where its own first estimate is under the noise; 0 as in the paper.
        mirrored: weight of the same errors, of latents and aligned, against the mean of what the network estimates of
            such a view and of its mirrored twin, beside which each view is trained then; 0 as in the paper.
    """

    noise_strength: float = 0.9
    multi_share: float = 1.0
    terminal_share: float = 0.0
    inference_share: float = 0.0
    own_share: float = 0.0
    second_share: float = 0.0
    coarse: tuple[int, ...] = ()
    robust: float = 0.0
    aligned: float = 0.0
    mirrored: float = 0.0


INFERENCE_STEPS = 4  # a demo checkpoint's default

FROM_NOTHING = DiffusionSettings(  # what the demo is trained with
    multi_share=0.5, terminal_share=0.7, own_share=0.8, coarse=(2, 4, 8, 16), robust=0.2
)


def new_scheduler() -> DDIMScheduler:
    """Stable Diffusion 2's betas with zero terminal SNR and trailing timesteps, as the v1-1 checkpoints have."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=False,
    )


def diffusion_loss(
    unet: torch.nn.Module,
    batch: LatentBatch,
    prompt: torch.Tensor,
    scheduler: DDIMScheduler,
    settings: DiffusionSettings,
    turn: Turn,
    read_depth: DepthReadout | None = None,
) -> torch.Tensor:
    """Mean squared error of the predicted velocity over valid latents, plus its coarse and aligned parts if asked for.

    Args:
        prompt: [1, tokens, width], the empty prompt's embedding.
        read_depth: for the aligned part.
    """
    rng = turn.rng()
    generator = torch.Generator("cpu").manual_seed(int(rng.integers(2**62)))
    count, steps = len(batch.image), scheduler.config.num_train_timesteps
    timesteps = torch.randint(0, steps, (count,), generator=generator)  # [B]
    if settings.inference_share:
        later = torch.arange(1, INFERENCE_STEPS) * steps // INFERENCE_STEPS - 1  # [249, 499, 749]
        at_inference = torch.rand(count, generator=generator) < settings.inference_share
        drawn = later[torch.randint(0, len(later), (count,), generator=generator)]
        timesteps = torch.where(at_inference, drawn, timesteps)
    timesteps[torch.rand(count, generator=generator) < settings.terminal_share] = steps - 1
    copies = 2 if settings.mirrored else 1
    if settings.mirrored:
        batch, timesteps = beside_mirrored(batch), timesteps.repeat(copies)
    if settings.noise_strength and rng.random() < settings.multi_share:
        noise = multi_resolution_noise(batch.depth.shape, settings.noise_strength * timesteps / steps, generator)
    else:
        noise = torch.randn(batch.depth.shape, generator=generator)
    own = (torch.rand(count, generator=generator) < settings.own_share).repeat(copies)
    noise, timesteps, own = noise.to(turn.device), timesteps.to(turn.device), own.to(turn.device)
    prompts = prompt.to(turn.device).expand(len(timesteps), -1, -1)
    own &= timesteps < steps - 1
    if batch.estimate is not None:
        noise = torch.where(own.view(-1, 1, 1, 1), batch.estimate.noise, noise)
    start = batch.depth
    if own.any():
        second = torch.rand(count, generator=generator) < settings.second_share
        between = torch.rand(count, generator=generator)
        second, between = (draws.repeat(copies).to(turn.device) for draws in (second, between))
        start = _own_estimates(unet, scheduler, batch, noise, prompts, own, own & second, timesteps, between)
    noisy = scheduler.add_noise(start, noise, timesteps)
    alpha = scheduler.alphas_cumprod.to(turn.device)[timesteps].view(-1, 1, 1, 1)  # [B, 1, 1, 1]
    target = (alpha.sqrt() * noisy - batch.depth) / (1 - alpha).sqrt()  # the velocity that leads to the truth
    predicted = unet(torch.cat([batch.image, noisy], 1), timesteps, encoder_hidden_states=prompts).sample.float()
    weight = torch.where(
        own.view(-1, 1, 1, 1), (1 - alpha).sqrt(), 1.0
    )  # of own estimates the error of the depth counts
    loss = _latents_loss((predicted - target) * weight, batch, settings)
    estimate = alpha.sqrt() * noisy - (1 - alpha).sqrt() * predicted
    alone = own | (timesteps == steps - 1)
    depth = read_depth(estimate) if read_depth is not None and settings.aligned else None
    if depth is not None:
        loss = loss + settings.aligned * aligned_loss(depth, batch, alone)
    if settings.mirrored:
        loss = loss + settings.mirrored * _twins_loss(estimate, depth, batch, alone, settings)
    return loss


def _twins_loss(
    estimate: torch.Tensor,
    depth: torch.Tensor | None,
    batch: LatentBatch,
    alone: torch.Tensor,
    settings: DiffusionSettings,
) -> torch.Tensor:
    """How far estimates are from the mean of a view's and its mirrored twin's, counted as their errors are.

    Args:
        estimate: [2 B, 4, h, w] depth latents of the views of `beside_mirrored`; depth: [2 B, h, w], read from them.
        alone: [2 B] bool, the views that count: where the truth is under the noise it decides nearly everything.
    """
    apart = (estimate - twins_mean(estimate)) * alone.view(-1, 1, 1, 1)
    loss = _latents_loss(apart, batch, settings)
    if depth is None or batch.truth is None:
        return loss
    together = replace(batch.truth, code=twins_mean(depth).clamp(-1, 1))
    return loss + settings.aligned * aligned_loss(depth, replace(batch, truth=together), alone)


@torch.no_grad()
def _own_estimates(
    unet: torch.nn.Module,
    scheduler: DDIMScheduler,
    batch: LatentBatch,
    noise: torch.Tensor,
    prompts: torch.Tensor,
    own: torch.Tensor,
    second: torch.Tensor,
    timesteps: torch.Tensor,
    between: torch.Tensor,
) -> torch.Tensor:
    """The batch's depth latents, replaced by what the network itself estimates, as DDIM's later steps meet it.

    Estimates that come with the batch are taken instead of its own first ones.

    Args:
        own: [B] bool, the views that are replaced, by the estimate from pure noise.
        second: [B] bool, those of them whose estimate is made anew from the first under noise at a timestep
            `between` (0 to 1) their own, `timesteps`, and the last.

    Returns:
        [B, 4, h, w].
    """
    depth = batch.depth.clone()  # nothing of the truth is left in it at the last timestep
    last = scheduler.config.num_train_timesteps - 1
    earlier = timesteps + ((last - timesteps) * between).long()
    passes = [(own, torch.full_like(timesteps, last)), (second, earlier)]
    if batch.estimate is not None:
        depth[own] = batch.estimate.depth[own]
        passes = passes[1:]
    for chosen, at in passes:
        if chosen.any():
            noisy = scheduler.add_noise(depth[chosen], noise[chosen], at[chosen])
            views = torch.cat([batch.image[chosen], noisy], 1)
            velocity = unet(views, at[chosen], encoder_hidden_states=prompts[chosen]).sample.float()
            alpha = scheduler.alphas_cumprod.to(depth.device)[at[chosen]].view(-1, 1, 1, 1)
            depth[chosen] = alpha.sqrt() * noisy - (1 - alpha).sqrt() * velocity
    return depth


def _latents_loss(error: torch.Tensor, batch: LatentBatch, settings: DiffusionSettings) -> torch.Tensor:
    """Mean penalty of an error [B, 4, h, w] over valid latents, and over averages of blocks of them if asked for."""
    share = batch.valid.float().mean().clamp(min=1e-6)
    parts = [_penalty(error * batch.valid, block, settings.robust) for block in (1, *settings.coarse)]
    return torch.stack(parts).sum() / share


def _penalty(error: torch.Tensor, block: int, robust: float) -> torch.Tensor:
    """Mean penalty of the error's [B, 4, h, w] block averages."""
    if block > 1:
        error = functional.avg_pool2d(error, block, ceil_mode=True, count_include_pad=False)
    squared = error.square().mean(1)  # [B, h, w]
    if not robust:
        return squared.mean()
    return (2 * robust * ((squared + robust**2).sqrt() - robust)).mean()  # the same as the square, where it is small
