# SPDX-License-Identifier: GPL-3.0-or-later
"""What is given up, one thing after another, when a single prediction does not fit into memory. Called by `estimator`.

First what changes nothing but time: only the network at work stays on the graphics card. Then the VAE works in tiles,
which changes depth slightly at their borders.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from diffusers import AutoencoderKL
from torch import nn

from .checkpoint import Checkpoint
from .devices import release_cached_memory

TILES = (64, 32)  # latents along the edge of a tile of the VAE


class MemoryLadder:
    """The rungs for one estimate; `leave` takes the VAE's tiles back.

    Attributes:
        offloads: only the network at work is on the device. Stays so for the estimates after this one: getting back
            could fail where this one has succeeded.
        tile: latents along the edge of a tile of the VAE; 0: it works in one piece.
    """

    def __init__(self, checkpoint: Checkpoint, device: torch.device, *, offloads: bool) -> None:
        self._networks: tuple[nn.Module, ...] = (checkpoint.unet, checkpoint.vae)
        self._vae = checkpoint.vae
        self._device = device
        self._sizes = _tile_sizes(self._vae)
        self._rungs: list[Callable[[], None]] = [partial(self._work_in_tiles, tile) for tile in TILES]
        self.offloads = offloads
        self.tile = 0
        if can_offload(device) and not offloads:
            self._rungs.insert(0, self._offload)

    def climb(self) -> bool:
        """Give up the next thing; False when there is none left."""
        if not self._rungs:
            return False
        self._rungs.pop(0)()
        return True

    def take_turn(self, working: nn.Module) -> None:
        """Have `working` on the device, and once memory has run out nothing else."""
        if not self.offloads:
            return
        for network in self._networks:
            if network is not working:
                network.to("cpu")
        release_cached_memory(self._device)
        working.to(self._device)

    def leave(self) -> None:
        """Back to the VAE in one piece."""
        self._vae.disable_tiling()
        self._vae.tile_latent_min_size, self._vae.tile_sample_min_size = self._sizes

    def _offload(self) -> None:
        self.offloads = True

    def _work_in_tiles(self, tile: int) -> None:
        self.tile = tile
        factor = 2 ** (len(self._vae.config.block_out_channels) - 1)
        self._vae.tile_latent_min_size, self._vae.tile_sample_min_size = tile, tile * factor
        self._vae.enable_tiling()


def can_offload(device: torch.device) -> bool:
    """Whether a network can be kept elsewhere than on `device`."""
    return device.type != "cpu"


def _tile_sizes(vae: AutoencoderKL) -> tuple[int, int]:
    return vae.tile_latent_min_size, vae.tile_sample_min_size
