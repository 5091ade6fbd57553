# SPDX-License-Identifier: GPL-3.0-or-later
"""Teaches the VAE's decoder, at the very end, to read latents as a small U-Net predicts them: with noise left in them.

The encoder and the latents stay as they are, so nothing that was trained on them changes. What the last denoising steps
leave over is fine and nearly white; the decoder learns to tell it from the fine detail of real depth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch.nn import functional

from .dataset import SampleFile
from .depth_range import Sky
from .loop import LoopSettings, Turn, train
from .model_folder import replace_folder
from .views import ASPECTS, training_view

MOST_NOISE = 0.35  # standard deviation, of latents whose own is 1
GRADIENT_STEPS = (1, 2, 4)  # pixels between which differences of depth are compared


class DepthDecoder(torch.nn.Module):
    """The decoding half of a VAE, as the pipeline uses it: the mean of its three channels, [B, H, W]."""

    def __init__(self, vae: AutoencoderKL) -> None:
        super().__init__()
        self.after_latent = vae.post_quant_conv
        self.decoder = vae.decoder

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        """Args: latent: [B, 4, h, w], not times the scaling factor."""
        depth: torch.Tensor = self.decoder(self.after_latent(latent)).mean(1)
        return depth


def train_decoder(
    samples: Sequence[SampleFile],
    vae: AutoencoderKL,
    settings: LoopSettings,
    folder: Path,
    report: Callable[[int, int, float], None],
    batch: int = 4,
    long_side: int = 256,
    sky: Sky = "far",
) -> AutoencoderKL:
    """Train the decoder of `vae` on views of any data set; the VAE with it is written to `folder/vae`.

    Args:
        folder: checkpoint and log; a run that is there goes on.
        batch: views a step.
        long_side: their longer edge in pixels.
    """
    vae.requires_grad_(False)
    decoder = DepthDecoder(vae).requires_grad_(True)

    def loss(network: torch.nn.Module, turn: Turn) -> torch.Tensor:
        truth, latent = _noisy_views(samples, vae, turn, batch, long_side, sky)
        return depth_loss(network(latent).float(), truth)

    trained = train(decoder, loss, settings, folder, report)
    assert isinstance(trained, DepthDecoder)
    vae.post_quant_conv.load_state_dict(trained.after_latent.state_dict())
    vae.decoder.load_state_dict(trained.decoder.state_dict())
    vae.save_pretrained(folder / ".vae.writing", safe_serialization=True)
    replace_folder(folder / ".vae.writing", folder / "vae")
    return vae


def depth_loss(depth: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean absolute error of depth and of its differences over a few distances, both [B, H, W]."""
    parts = [functional.l1_loss(depth, truth)]
    for step in GRADIENT_STEPS:
        for axis in (1, 2):
            length = depth.shape[axis] - step
            parts.append(
                functional.l1_loss(_differences(depth, axis, step, length), _differences(truth, axis, step, length))
            )
    return torch.stack(parts).sum()


def _differences(depth: torch.Tensor, axis: int, step: int, length: int) -> torch.Tensor:
    return depth.narrow(axis, step, length) - depth.narrow(axis, 0, length)


@torch.no_grad()
def _noisy_views(
    samples: Sequence[SampleFile], vae: AutoencoderKL, turn: Turn, batch: int, long_side: int, sky: Sky
) -> tuple[torch.Tensor, torch.Tensor]:
    """Depth [B, H, W] in -1..1 of random views, and their latents [B, 4, h, w] with noise of a random strength each."""
    rng = turn.rng()
    aspect = ASPECTS[rng.integers(len(ASPECTS))]
    chosen = [samples[i].read() for i in rng.integers(0, len(samples), batch)]
    views = [training_view(sample, rng, long_side, sky, shows="crop", aspect=aspect) for sample in chosen]
    truth = torch.from_numpy(np.stack([view.depth for view in views])).to(turn.device)
    vae.to(turn.device)
    latent = vae.encode(truth[:, None].repeat(1, 3, 1, 1)).latent_dist.mean
    generator = torch.Generator("cpu").manual_seed(int(rng.integers(2**62)))
    strength = MOST_NOISE * torch.rand(batch, 1, 1, 1, generator=generator) / vae.config.scaling_factor
    noise = torch.randn(latent.shape, generator=generator) * strength
    return truth, latent + noise.to(turn.device)
