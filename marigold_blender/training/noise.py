# SPDX-License-Identifier: GPL-3.0-or-later
"""Multi-resolution noise, as Marigold trains with (paper, section 3.3; strength 0.9, annealed with the timestep)."""

from __future__ import annotations

import torch
from torch.nn import functional

LEVELS = 10


def multi_resolution_noise(shape: torch.Size, strength: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Noise of unit variance that is the stronger at low resolutions, the larger `strength`.

    Args:
        shape: [B, C, h, w].
        strength: [B], weight of a level relative to the one before; annealed: 0.9 * timestep / timesteps.
        generator: on the processor; decides the noise.

    Returns:
        [B, C, h, w] float32: a sum over levels whose sizes shrink by random factors of 2 to 4, the weights strength^i.
    """
    batch, channels, height, width = shape
    weight = strength.reshape(-1, 1, 1, 1).cpu()
    noise = torch.randn(shape, generator=generator)
    h, w = height, width
    for level in range(LEVELS):
        shrink = (float(torch.rand(1, generator=generator)) * 2 + 2) ** level
        h, w = max(1, int(h / shrink)), max(1, int(w / shrink))
        coarse = torch.randn((batch, channels, h, w), generator=generator)
        noise += functional.interpolate(coarse, (height, width), mode="bilinear") * weight**level
        if h == 1 or w == 1:
            break
    return noise / noise.std()


def seeded_noise(seed: int, shape: torch.Size) -> torch.Tensor:
    """Plain noise that a seed alone decides."""
    return torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed))
