# SPDX-License-Identifier: GPL-3.0-or-later
"""The U-Net to train: the demo's small one from nothing, or Stable Diffusion 2's with its first layer widened."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import UNet2DConditionModel

from ..errors import MarigoldError

PROMPT_WIDTH = 32  # of the demo's text embedding, which is all zeros


SMALL_VIEWS = (32, 80, 144, 192)
LARGE_VIEWS = (32, *SMALL_VIEWS)  # what `grow_unet` makes of it
WITH_ATTENTION = 2  # levels, from the lowest
DEEPER = 1  # of them, counted from the lowest as 0: the level that `deepen_unet` gives a second layer


def new_unet(channels: tuple[int, ...] = SMALL_VIEWS, dropout: float = 0.1, deep: bool = False) -> UNet2DConditionModel:
    """The demo's U-Net: thin at full latent size, attention on the two lowest levels.

    Args:
        channels: of each level, from full latent size down.
        dropout: while it trains. Without it the error on training pictures falls far below that on new ones.
        deep: two layers instead of one at the lowest level but one (`deepen_unet`).
    """
    plain = len(channels) - WITH_ATTENTION
    layers = [1] * len(channels)
    if deep:
        layers[-1 - DEEPER] = 2
    return UNet2DConditionModel(
        sample_size=64,
        in_channels=8,
        out_channels=4,
        block_out_channels=channels,
        down_block_types=("DownBlock2D",) * plain + ("CrossAttnDownBlock2D",) * WITH_ATTENTION,
        up_block_types=("CrossAttnUpBlock2D",) * WITH_ATTENTION + ("UpBlock2D",) * plain,
        layers_per_block=layers if deep else 1,
        cross_attention_dim=PROMPT_WIDTH,
        attention_head_dim=8,
        dropout=dropout,
        norm_num_groups=8,  # wide groups: two channels a group would erase constants
    )


def load_unet(folder: Path) -> UNet2DConditionModel:
    """The U-Net of a Stable Diffusion 2 folder, widened to 8 input channels, or of a Marigold folder as it is.

    Raises:
        MarigoldError: there is no U-Net, or its input has neither 4 nor 8 channels.
    """
    try:
        unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet", torch_dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise MarigoldError("no_model", f"{folder} holds no U-Net in diffusers format.", details=str(error)) from error
    if unet.config.in_channels == 4:
        widen_input(unet)
    if unet.config.in_channels != 8:
        raise MarigoldError("no_model", f"The U-Net in {folder} takes {unet.config.in_channels} channels, not 4 or 8.")
    return unet


def widen_input(unet: UNet2DConditionModel) -> None:
    """Turn 4 input channels into 8: the first layer's weights twice, halved, so that its output keeps its size."""
    old = unet.conv_in
    wide = torch.nn.Conv2d(8, old.out_channels, old.kernel_size, old.stride, old.padding)
    with torch.no_grad():
        wide.weight.copy_(old.weight.repeat(1, 2, 1, 1) / 2)
        if wide.bias is not None and old.bias is not None:
            wide.bias.copy_(old.bias)
    unet.conv_in = wide
    unet.register_to_config(in_channels=8)
