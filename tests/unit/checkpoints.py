# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints for tests: the bundled one, and small ones of Stable Diffusion's shape with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, LCMScheduler, UNet2DConditionModel
from transformers import AutoTokenizer, CLIPTextConfig, CLIPTextModel

import marigold_blender

DEMO = Path(marigold_blender.__file__).parent / "models" / "demo"

V1_0_SCHEDULER = {
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "prediction_type": "v_prediction",
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "trained_betas": None,
}
V1_1_SCHEDULER = {**V1_0_SCHEDULER, "timestep_spacing": "trailing", "rescale_betas_zero_snr": True}


def save_small_checkpoint(folder: Path, scheduler: DDIMScheduler | LCMScheduler, *, half: bool = False) -> None:
    """Save a Marigold checkpoint with random weights: shaped as Stable Diffusion (VAE of factor 8)."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=8,
        out_channels=4,
        block_out_channels=(16, 16, 32, 32),
        layers_per_block=1,
        attention_head_dim=(2, 2, 4, 4),
        cross_attention_dim=16,
        norm_num_groups=8,
        use_linear_projection=True,
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=4,
        latent_channels=4,
    )
    text_encoder = CLIPTextModel(
        CLIPTextConfig(vocab_size=2, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
    )
    kind = torch.float16 if half else torch.float32
    variant = "fp16" if half else None
    unet.to(kind).save_pretrained(folder / "unet", variant=variant)
    vae.to(kind).save_pretrained(folder / "vae", variant=variant)
    text_encoder.to(kind).save_pretrained(folder / "text_encoder", variant=variant)
    AutoTokenizer.from_pretrained(DEMO / "tokenizer").save_pretrained(folder / "tokenizer")
    scheduler.save_pretrained(folder / "scheduler")
    index = json.loads((DEMO / "model_index.json").read_text())
    index["scheduler"] = ["diffusers", type(scheduler).__name__]
    (folder / "model_index.json").write_text(json.dumps(index))
