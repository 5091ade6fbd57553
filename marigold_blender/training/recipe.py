# SPDX-License-Identifier: GPL-3.0-or-later
"""Marigold's recipe: trains a U-Net to denoise depth latents beside image latents, on a frozen VAE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel

from .aligned import fit_readout
from .dataset import SampleFile
from .depth_range import Sky
from .diffusion import DiffusionSettings, diffusion_loss, new_scheduler
from .end_to_end import end_to_end_loss
from .latents import LatentBatch, encode_views
from .loop import LoopSettings, Turn, train
from .previews import draw_predictions
from .views import ASPECTS, training_view

NextBatch = Callable[[Turn], LatentBatch]


def train_unet(
    unet: UNet2DConditionModel,
    vae: AutoencoderKL,
    prompt: torch.Tensor,
    next_batch: NextBatch,
    settings: LoopSettings,
    objective: DiffusionSettings | Literal["end-to-end"],
    folder: Path,
    report: Callable[[int, int, float], None],
    shown: LatentBatch | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> UNet2DConditionModel:
    """Train `unet` with the objective chosen; goes on from `folder` if a checkpoint is there.

    Args:
        prompt: [1, tokens, width], the empty prompt's embedding.
        objective: of the paper, or of single-step fine-tuning.
        next_batch: draws what a turn trains on: from a cache (`CachedLatents`), or encoded as it goes
            (`encode_as_it_goes`).
        shown: views whose predictions are drawn into `folder/samples` now and then.

    Returns:
        The U-Net with averaged weights.
    """
    scheduler = new_scheduler()
    vae.requires_grad_(False)
    read_depth = None
    if isinstance(objective, DiffusionSettings) and objective.aligned:
        read_depth = fit_readout(lambda i: next_batch(Turn(settings.seed, i, 0, 0, torch.device("cpu"))))

    def loss(network: torch.nn.Module, turn: Turn) -> torch.Tensor:
        if objective == "end-to-end":
            return end_to_end_loss(network, vae, next_batch(turn), prompt, scheduler, turn)
        return diffusion_loss(network, next_batch(turn), prompt, scheduler, objective, turn, read_depth)

    def draw(network: torch.nn.Module, path: Path) -> None:
        if shown is not None:
            steps = 1 if objective == "end-to-end" else 4
            draw_predictions(path, shown, predict(network, shown, prompt, scheduler, steps), vae)

    trained = train(unet, loss, settings, folder, report, draw, stop)
    assert isinstance(trained, UNet2DConditionModel)
    return trained


def encode_as_it_goes(
    samples: Sequence[SampleFile], vae: AutoencoderKL, batch: int, long_side: int, sky: Sky
) -> NextBatch:
    """Draws random views of random samples and encodes them: what fine-tuning on a graphics card uses."""

    def next_batch(turn: Turn) -> LatentBatch:
        rng = turn.rng()
        vae.to(turn.device)
        chosen = [samples[i].read() for i in rng.integers(0, len(samples), batch)]
        aspect = ASPECTS[rng.integers(len(ASPECTS))]
        views = [training_view(sample, rng, long_side, sky, shows="crop", aspect=aspect) for sample in chosen]
        return encode_views(vae, views)

    return next_batch


@torch.no_grad()
def predict(
    unet: torch.nn.Module, batch: LatentBatch, prompt: torch.Tensor, scheduler: DDIMScheduler, steps: int
) -> torch.Tensor:
    """Denoise depth latents from noise of a fixed seed: [B, 4, h, w]."""
    device = next(unet.parameters()).device
    image = batch.image.to(device)
    latent = torch.randn(image.shape, generator=torch.Generator("cpu").manual_seed(0)).to(device)
    scheduler.set_timesteps(steps)
    prompts = prompt.to(device).expand(len(image), -1, -1)
    for t in scheduler.timesteps:
        velocity = unet(torch.cat([image, latent], 1), t, encoder_hidden_states=prompts).sample
        latent = scheduler.step(velocity, t, latent).prev_sample
    return latent


def empty_prompt(width: int) -> torch.Tensor:
    """The demo's prompt embedding: zeros for the two marks around an empty prompt."""
    return torch.from_numpy(np.zeros((1, 2, width), np.float32))
