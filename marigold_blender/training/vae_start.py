# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting weights for the VAE: it begins as 4x4 pooling of colour, and training adds detail.

From random weights a small VAE learns brightness and stays grey for thousands of steps (tried twice). Here three latent
channels start as pooled red, green and blue, carried unchanged along the residual stream in the first channels: each
with its negative, because silu(a) - silu(-a) = a, so the activation before the last layer passes them on exactly, and
because a signal with its negative has no mean for the norm to take away. A strong constant pair makes the norm's scale
nearly the same for every picture, so that contrast survives it.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import AutoencoderKL

SIGNALS = 8  # +RGB, -RGB, +1, -1
CONSTANT = 6


@torch.no_grad()
def start_from_pooling(vae: AutoencoderKL) -> None:
    """Overwrite a new VAE's weights."""
    encoder, decoder = vae.encoder, vae.decoder
    _carry(encoder.conv_in, 0)
    for c in range(3):
        encoder.conv_in.weight[c, c, 1, 1] = 1
        encoder.conv_in.weight[c + 3, c, 1, 1] = -1
    _set_constant(encoder.conv_in)
    for block in (*encoder.down_blocks, *decoder.up_blocks, encoder.mid_block, decoder.mid_block):
        for resnet in block.resnets:
            _identity_block(resnet)
        for sampler in getattr(block, "downsamplers", None) or ():
            _carry(sampler.conv, 4)
        for sampler in getattr(block, "upsamplers", None) or ():
            _carry(sampler.conv, 1)
    for conv in (vae.quant_conv, vae.post_quant_conv):
        conv.weight.copy_(torch.eye(conv.weight.shape[0])[:, :, None, None])
        conv.bias.zero_()
    _differences(encoder.conv_out)
    encoder.conv_out.weight[4:] = 0  # the variance, which nothing uses
    _carry(decoder.conv_in, 0)
    for c in range(3):
        decoder.conv_in.weight[c, c, 1, 1] = 1
        decoder.conv_in.weight[c + 3, c, 1, 1] = -1
    _set_constant(decoder.conv_in)
    _differences(decoder.conv_out)
    colours = torch.linspace(-1, 1, 64).reshape(-1, 1, 1, 1) * torch.tensor([1.0, -0.7, 0.4]).reshape(1, 3, 1, 1)
    colours = colours.expand(-1, -1, 32, 32)
    decoded = vae.decode(vae.encode(colours).latent_dist.mean).sample
    decoder.conv_out.weight[:3] *= (decoded * colours).sum() / decoded.square().sum()  # as strong as it came in


def _carry(conv: Any, taps: int) -> None:
    """Let the signal channels of a convolution pass: pooled over 2x2 (4 taps), as they are (1), or not at all (0)."""
    conv.weight[:SIGNALS] = 0
    conv.bias[:SIGNALS] = 0
    for c in range(SIGNALS):
        if taps == 4:
            conv.weight[c, c, :2, :2] = 0.25  # the downsampler pads at the right and below only
        elif taps == 1:
            conv.weight[c, c, 1, 1] = 1


def _set_constant(conv: Any) -> None:
    conv.bias[CONSTANT] = 3
    conv.bias[CONSTANT + 1] = -3


def _identity_block(resnet: Any) -> None:
    """A residual block that adds nothing to the signals and little to the rest."""
    resnet.conv2.weight.mul_(0.3)
    resnet.conv2.weight[:SIGNALS] = 0
    resnet.conv2.bias[:SIGNALS] = 0
    if resnet.conv_shortcut is not None:
        weight = resnet.conv_shortcut.weight
        weight[:SIGNALS] = 0
        resnet.conv_shortcut.bias[:SIGNALS] = 0
        for c in range(SIGNALS):
            weight[c, c] = 1


def _differences(conv: Any) -> None:
    """The last layer's first three outputs: each colour's silu minus its negative's."""
    conv.weight[:3].mul_(0.1)
    conv.bias[:3] = 0
    for c in range(3):
        conv.weight[c, c, 1, 1] = 0.5
        conv.weight[c, c + 3, 1, 1] = -0.5
