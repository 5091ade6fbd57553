# SPDX-License-Identifier: GPL-3.0-or-later
"""A U-Net that gains a level for large views starts as what it was on small ones."""

import torch
from torch.nn import functional

from marigold_blender.training.growth import grow_unet
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
