# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the noise of each ensemble member comes from: a stream of its own, so that batches do not change results.

Called by `estimator`; `denoising` draws from the streams.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

NoiseStream = Callable[[tuple[int, ...]], torch.Tensor]
"""Draws the next normal deviates of one member, in the shape asked for, float32 on the CPU."""


def member_noise(seed: int, member: int) -> NoiseStream:
    """The stream of ensemble member `member`; numpy promises the same numbers on every machine and version."""
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, member])))
    return lambda shape: torch.from_numpy(generator.standard_normal(shape, dtype=np.float32))


class ReplayedNoise:
    """A noise stream that can give its draws a second time, for a batch that is repeated after memory ran out."""

    def __init__(self, stream: NoiseStream) -> None:
        self._stream = stream
        self._drawn: list[torch.Tensor] = []
        self._position = 0

    def __call__(self, shape: tuple[int, ...]) -> torch.Tensor:
        if self._position == len(self._drawn):
            self._drawn.append(self._stream(shape))
        self._position += 1
        return self._drawn[self._position - 1]

    def rewind(self) -> None:
        self._position = 0


def draw(streams: Sequence[NoiseStream], like: torch.Tensor) -> torch.Tensor:
    """One draw from each stream: [B, C, h, w] as `like`."""
    shape = tuple(like.shape[1:])
    return torch.stack([stream(shape) for stream in streams]).to(like)
