# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads a Marigold checkpoint: a folder in diffusers format. Called by `estimator`; safetensors and JSON only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, LCMScheduler, UNet2DConditionModel

from ..errors import MarigoldError
from .checkpoint_files import read_defaults, read_json
from .devices import release_cached_memory
from .empty_text import empty_text
from .loading import loading
from .mapped_weights import load_mapped
from .precision import keep_last_layers_exact
from .weight_files import find_weights, vae_revision

SCHEDULERS = {"DDIMScheduler": DDIMScheduler, "LCMScheduler": LCMScheduler}
PREDICTIONS = ("v_prediction", "epsilon", "sample")


@dataclass(frozen=True)
class LoadedVae:
    """A VAE in memory, for the next model if it has the same.

    Attributes:
        revision: a hash of its files, see `weight_files.vae_revision`.
        dtype: the number format that it was loaded in.
    """

    network: AutoencoderKL
    revision: str
    dtype: torch.dtype


@dataclass(frozen=True)
class Checkpoint:
    """A loaded Marigold depth model.

    Attributes:
        empty_text: [1, T, C], the text encoder's answer to an empty prompt; the encoder itself is not kept.
        zero_noise: starts from zeros rather than noise (fine-tuned for a single step, Martin Garcia et al. 2024).
        revision: a hash of the files, see `weight_files.checkpoint_revision`.
    """

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    scheduler: DDIMScheduler | LCMScheduler
    empty_text: torch.Tensor
    default_steps: int
    default_resolution: int
    zero_noise: bool
    revision: str
    loaded_vae: LoadedVae

    @property
    def latent_factor(self) -> int:
        """How much smaller the latents are than the picture."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    @property
    def widest_decoder_layer(self) -> int:
        """Channels of the decoder's widest layer at full size: its last block still takes the block before's."""
        channels = self.vae.config.block_out_channels
        return int(channels[min(1, len(channels) - 1)])

    def new_scheduler(self, steps: int) -> DDIMScheduler | LCMScheduler:
        """A scheduler at its first step; schedulers hold state, so each batch has its own."""
        # “leading” would take a single step at t=1, from noise to noise (Martin Garcia et al. 2024, section 3)
        single = steps == 1 and isinstance(self.scheduler, DDIMScheduler)
        changes = {"timestep_spacing": "trailing"} if single else {}
        scheduler = type(self.scheduler).from_config(self.scheduler.config, **changes)
        scheduler.set_timesteps(steps, device=self.unet.device)
        return scheduler


def load_checkpoint(
    folder: Path,
    device: torch.device,
    dtype: torch.dtype,
    *,
    zero_noise: bool | None = None,
    vae: LoadedVae | None = None,
) -> Checkpoint:
    """Load the networks of `folder`, whatever format their files hold, as `dtype` on `device`.

    Args:
        zero_noise: whether it starts from zeros; None: as its files say.
        vae: that of the model before; taken if it is this one's too, so that it is in memory once.

    Raises:
        MarigoldError: a file is missing or damaged, or the model is for another task (`no_model`).
    """
    defaults = read_defaults(folder)
    scheduler = _load_scheduler(folder)
    # First, so that the text encoder is gone before the networks come.
    text = empty_text(folder, read_json(folder / "unet" / "config.json").get("cross_attention_dim"))
    release_cached_memory(torch.device("cpu"))
    unet = _load_network(UNet2DConditionModel, folder, "unet", device, dtype)
    loaded = _load_vae(folder, device, dtype, vae)
    channels = loaded.network.config.latent_channels
    if unet.config.in_channels != 2 * channels or unet.config.out_channels != channels:
        raise MarigoldError(
            "no_model",
            f"{folder / 'unet'} is not a depth network: it takes {unet.config.in_channels} and gives "
            f"{unet.config.out_channels} channels, not {2 * channels} and {channels}.",
        )
    return Checkpoint(
        unet=unet,
        vae=loaded.network,
        scheduler=scheduler,
        empty_text=text.to(device=device, dtype=dtype),
        default_steps=defaults.steps,
        default_resolution=defaults.resolution,
        zero_noise=defaults.zero_noise if zero_noise is None else zero_noise,
        revision=defaults.revision,
        loaded_vae=loaded,
    )


def _load_scheduler(folder: Path) -> DDIMScheduler | LCMScheduler:
    path = folder / "scheduler" / "scheduler_config.json"
    config = read_json(path)
    kind = config.get("_class_name")
    if kind not in SCHEDULERS:
        raise MarigoldError(
            "no_model",
            f"{path} asks for {kind}: a Marigold model uses {' or '.join(SCHEDULERS)}, so take its own file.",
        )
    return loading(path, lambda: _usable(SCHEDULERS[kind].from_config(config)))


def _usable(scheduler: Any) -> Any:
    """The scheduler, unless its values would only be found impossible in the middle of an estimate."""
    scheduler.set_timesteps(1)
    if scheduler.config.prediction_type not in PREDICTIONS:
        raise ValueError(f"prediction_type {scheduler.config.prediction_type}")
    return scheduler


def _load_vae(folder: Path, device: torch.device, dtype: torch.dtype, before: LoadedVae | None) -> LoadedVae:
    read_json(folder / "vae" / "config.json")
    revision = vae_revision(folder)
    if before and (before.revision, before.dtype) == (revision, dtype):
        return LoadedVae(before.network.to(device), revision, dtype)  # it may have made room on the graphics card
    return LoadedVae(_load_network(AutoencoderKL, folder, "vae", device, dtype), revision, dtype)


def _load_network(kind: Any, folder: Path, part: str, device: torch.device, dtype: torch.dtype) -> Any:
    """The U-Net or the VAE, checked to be whole."""
    config = read_json(folder / part / "config.json")
    weights, _ = find_weights(folder / part)
    channels_last = device.type != "mps"  # which has no kernels for it
    network = loading(weights, lambda: load_mapped(kind, config, weights, device, dtype, channels_last=channels_last))
    network = network.requires_grad_(False).eval()
    keep_last_layers_exact(network)
    return network
