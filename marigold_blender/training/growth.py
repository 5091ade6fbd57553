# SPDX-License-Identifier: GPL-3.0-or-later
"""Enlarges a trained U-Net without losing what it knows: by layers, or by a level of twice the resolution around it.

A network that errs on the pictures it learnt from is too small for them. A second layer at the level of a sixteenth of
the picture's size costs a fifth more time, begins as no change at all, and is trained on with the rest.

A small U-Net that learnt the layout of pictures on small views reads large ones badly: everything is twice as large as
what it knows, and each of its levels costs four times as much. Grown, its old levels see the large view at the size
that they know, and the new one adds detail (progressive growing: Karras et al. 2018). Called by `stages.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.resnet import ResnetBlock2D
from torch.nn import functional

from .latents import LatentBatch
from .unet import DEEPER

FIT_BATCHES = 24
RIDGE = 1e-4


@torch.no_grad()
def deepen_unet(shallow: UNet2DConditionModel, deep: UNet2DConditionModel) -> None:
    """Give `deep` the weights of `shallow`, and let the layers that it has more of pass through what they get.

    Args:
        shallow: `new_unet()`.
        deep: `new_unet(deep=True)`; is changed.
    """
    down, up = len(shallow.down_blocks) - 1 - DEEPER, DEEPER
    # on the way up the second of now three layers is the new one: the first takes the width of the level below, the
    # last the skip connection of the level above
    last_layer = re.compile(rf"^(up_blocks\.{up}\.(?:resnets|attentions))\.1\.")
    state = {last_layer.sub(r"\1.2.", name): value for name, value in shallow.state_dict().items()}
    deep.load_state_dict(state, strict=False)
    for block in (deep.down_blocks[down], deep.up_blocks[up]):
        _pass_through(block.resnets[1])
        attention = block.attentions[1]
        attention.proj_out.weight.zero_()
        attention.proj_out.bias.zero_()


def grow_unet(small: UNet2DConditionModel, large: UNet2DConditionModel, views: Callable[[int], LatentBatch]) -> None:
    """Give `large` the weights of `small` so that it starts as `small` on the view at half its size, enlarged.

    Args:
        small: U-Net of n levels.
        large: the same with one more outermost level, as wide as `small`'s; is changed.
        views: draws the i-th batch of large views: the new first layers are fitted to what `small`'s would have seen.
    """
    _copy_levels(small, large)
    _split_pixels(large.conv_in)
    _pass_through(large.down_blocks[0].resnets[0])
    for resnet in large.up_blocks[-1].resnets:
        _pass_through(resnet)
    _smooth(large.up_blocks[-2].upsamplers[0].conv)
    _fit_first_layers(small, large, views)


def _copy_levels(small: UNet2DConditionModel, large: UNet2DConditionModel) -> None:
    """Down level i becomes i + 1; up levels keep their numbers; middle, time and output layers stay."""
    state = {}
    for name, value in small.state_dict().items():
        if name.startswith("conv_in."):
            continue
        if name.startswith("down_blocks."):
            _, level, rest = name.split(".", 2)
            name = f"down_blocks.{int(level) + 1}.{rest}"
        state[name] = value
    large.load_state_dict(state, strict=False)


@torch.no_grad()
def _split_pixels(conv: torch.nn.Conv2d) -> None:
    """Four features of each input: mean of a pixel and the one before, or the one after, along either axis.

    Strided by the next layer, they hold all but the outermost tap that averages over 2 x 2 pixels and their neighbours
    are made of.
    """
    taps = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    conv.weight.zero_()
    _without_bias(conv)
    for i in range(conv.in_channels):
        for k in range(4):
            conv.weight[4 * i + k, i] = torch.outer(taps[k // 2], taps[k % 2])


@torch.no_grad()
def _pass_through(resnet: ResnetBlock2D) -> None:
    """Make a residual block return its input, of a concatenation the first part."""
    resnet.conv2.weight.zero_()
    resnet.conv2.bias.zero_()
    if resnet.conv_shortcut is not None:
        width = resnet.conv_shortcut.out_channels
        resnet.conv_shortcut.weight.zero_()
        resnet.conv_shortcut.weight[:, :width, 0, 0] = torch.eye(width)
        resnet.conv_shortcut.bias.zero_()


@torch.no_grad()
def _smooth(conv: torch.nn.Conv2d) -> None:
    """After enlarging by repetition: nearly bilinear."""
    line = torch.tensor([0.25, 0.5, 0.25])
    conv.weight.copy_(torch.eye(conv.out_channels)[:, :, None, None] * torch.outer(line, line))
    _without_bias(conv)


def _without_bias(conv: torch.nn.Conv2d) -> None:
    if conv.bias is not None:
        conv.bias.zero_()


@torch.no_grad()
def _fit_first_layers(
    small: UNet2DConditionModel, large: UNet2DConditionModel, views: Callable[[int], LatentBatch]
) -> None:
    """Least squares for the strided layer that feeds the old levels, against the old first layer on halved views."""
    conv = large.down_blocks[0].downsamplers[0].conv
    size = conv.in_channels * 9
    gram, cross = torch.zeros(size + 1, size + 1), torch.zeros(size + 1, conv.out_channels)
    generator = torch.Generator().manual_seed(0)
    for i in range(FIT_BATCHES):
        batch = views(i)
        x = torch.cat([batch.image, torch.randn(batch.depth.shape, generator=generator)], 1).cpu()
        wanted = small.conv_in(functional.avg_pool2d(x, 2)).flatten(2)  # [B, C, n]
        seen = functional.unfold(large.conv_in(x), 3, padding=1, stride=2)  # [B, 9 C, n]
        seen = torch.cat([seen, torch.ones_like(seen[:, :1])], 1)
        gram += torch.einsum("bin,bjn->ij", seen, seen)
        cross += torch.einsum("bin,bon->io", seen, wanted)
    gram += RIDGE * gram.diagonal().mean() * torch.eye(size + 1)
    solution = torch.linalg.solve(gram, cross)  # [9 C + 1, out]
    conv.weight.copy_(solution[:-1].T.reshape(conv.weight.shape))
    conv.bias.copy_(solution[-1])
