# SPDX-License-Identifier: GPL-3.0-or-later
"""A U-Net that gains layers, or a level for large views, starts as what it was."""

import torch
from torch.nn import functional

from marigold_blender.training.growth import deepen_unet, grow_unet
from marigold_blender.training.latents import LatentBatch
from marigold_blender.training.unet import PROMPT_WIDTH, new_unet


def smooth_views(seed: int) -> LatentBatch:
    generator = torch.Generator().manual_seed(seed)
    image, depth = (
        functional.interpolate(torch.randn(4, 4, 8, 8, generator=generator), size=(32, 32), mode="bicubic")
        for _ in range(2)
    )
    return LatentBatch(image, depth, torch.ones(4, 1, 32, 32, dtype=torch.bool))


def relative_error(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found - wanted).square().mean() / wanted.var())


@torch.no_grad()
def test_a_grown_unet_answers_large_views_as_the_small_one_does_their_halves():
    torch.manual_seed(0)
    small, large = new_unet((32, 32)).eval(), new_unet((32, 32, 32)).eval()
    grow_unet(small, large, smooth_views)
    views = smooth_views(99)
    prompt = torch.zeros(4, 2, PROMPT_WIDTH)
    full = torch.cat([views.image, torch.randn_like(views.depth)], 1)
    half = functional.avg_pool2d(full, 2)
    seen = large.down_blocks[0].downsamplers[0](large.conv_in(full))
    assert relative_error(seen, small.conv_in(half)) < 0.12  # one tap of six is out of its reach
    wanted = functional.interpolate(small(half, 999, encoder_hidden_states=prompt).sample, scale_factor=2)
    grown, alone = (unet(full, 999, encoder_hidden_states=prompt).sample for unet in (large, small))
    assert grown.shape == views.depth.shape
    assert relative_error(grown, wanted) < 0.5 * relative_error(alone, wanted)


def test_a_deepened_unet_starts_as_it_was_and_learns_with_its_new_layers():
    torch.manual_seed(0)
    shallow, deep = new_unet().eval(), new_unet(deep=True).eval()
    deepen_unet(shallow, deep)
    views = torch.randn(2, 8, 32, 48)
    prompt = torch.zeros(2, 2, PROMPT_WIDTH)
    before, after = (unet(views, 499, encoder_hidden_states=prompt).sample for unet in (shallow, deep))
    assert torch.equal(before, after)
    after.square().mean().backward()
    new = {
        name: value.grad
        for name, value in deep.named_parameters()
        if name.endswith((".conv2.weight", ".proj_out.weight")) and not value.any()
    }
    assert len(new) == 4  # a residual block and an attention on the way down, and on the way up
    assert all(gradient.abs().max() > 0 for gradient in new.values())
    assert sum(value.numel() for value in deep.parameters()) * 2 < 27e6  # bytes of fp16; the folder may have 30 MB
