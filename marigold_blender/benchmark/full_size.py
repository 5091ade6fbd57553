# SPDX-License-Identifier: GPL-3.0-or-later
"""A checkpoint of Stable Diffusion 2's full size with random weights: what speed and memory depend on, without a hub.

Called by `command` and by the acceptance runs. 2.6 GB in 16 bits, as the published checkpoints are.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

from ..errors import MarigoldError

NEEDED_BYTES = 2_800_000_000
STEPS, RESOLUTION = 4, 768  # what marigold-depth-v1-1 is published with
SCHEDULER = {
    "_class_name": "DDIMScheduler",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "prediction_type": "v_prediction",
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "timestep_spacing": "trailing",
    "rescale_betas_zero_snr": True,
}


def write_full_size(folder: Path, demo: Path) -> None:
    """Write the checkpoint, whole or not at all; one that is there is kept.

    Args:
        demo: a checkpoint to take tokenizer and index from.

    Raises:
        MarigoldError: no space, or the folder cannot be written (`cannot_write`).
    """
    if (folder / "model_index.json").is_file():
        return
    beside = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(folder.parent).free < NEEDED_BYTES:
            raise MarigoldError(
                "cannot_write",
                f"{folder.parent} has no room for the networks ({NEEDED_BYTES / 1e9:.1f} GB): name another folder with "
                "--folder.",
            )
        _write(beside, demo)
        beside.rename(folder)
    except OSError as error:
        raise MarigoldError(
            "cannot_write",
            f"The networks cannot be written to {folder} ({error.strerror or error}): name another folder "
            "with --folder.",
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _write(folder: Path, demo: Path) -> None:
    torch.manual_seed(0)
    networks: dict[str, Callable[[], nn.Module]] = {"unet": _unet, "vae": _vae, "text_encoder": _text_encoder}
    for part, make in networks.items():  # one at a time: each is gone before the next is made
        make().half().save_pretrained(folder / part)  # type: ignore[operator] # of diffusers and transformers
    shutil.copytree(demo / "tokenizer", folder / "tokenizer")
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(SCHEDULER))
    index = json.loads((demo / "model_index.json").read_text())
    index |= {"default_denoising_steps": STEPS, "default_processing_resolution": RESOLUTION}
    (folder / "model_index.json").write_text(json.dumps(index))


def _unet() -> nn.Module:
    return UNet2DConditionModel(
        sample_size=96,
        in_channels=8,
        out_channels=4,
        block_out_channels=(320, 640, 1280, 1280),
        attention_head_dim=(5, 10, 20, 20),
        cross_attention_dim=1024,
        use_linear_projection=True,
    )


def _vae() -> nn.Module:
    return AutoencoderKL(
        sample_size=768,
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
    )


def _text_encoder() -> nn.Module:
    return CLIPTextModel(
        CLIPTextConfig(hidden_size=1024, intermediate_size=4096, num_hidden_layers=23, num_attention_heads=16)
    )
