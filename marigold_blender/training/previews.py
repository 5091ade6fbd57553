# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of how a training run is doing: input, truth and prediction side by side."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from PIL import Image

from .latents import LatentBatch
from .scene_files import write_whole


@torch.no_grad()
def draw_predictions(path: Path, batch: LatentBatch, predicted: torch.Tensor, vae: AutoencoderKL) -> None:
    """Write a PNG with one column a view: picture and true depth as the VAE decodes them, predicted depth."""
    device = next(vae.parameters()).device
    rows = []
    for latents in (batch.image, batch.depth, predicted):
        decoded = vae.decode(latents.to(device) / vae.config.scaling_factor).sample.cpu().numpy()  # [B, 3, H, W]
        if latents is not batch.image:
            decoded = decoded.mean(1, keepdims=True).repeat(3, 1)
        rows.append(np.concatenate(list(decoded.transpose(0, 2, 3, 1)), 1))
    write_png(path, np.concatenate(rows, 0))


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write [H, W, 3] in -1..1."""
    buffer = io.BytesIO()
    Image.fromarray(np.clip(pixels * 127.5 + 127.5, 0, 255).astype(np.uint8)).save(buffer, "PNG")
    write_whole(path, buffer.getvalue())
