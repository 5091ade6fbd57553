# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo checkpoint's stages after the data: VAE, encoding, U-Net, packing. Called by `command.py`; each resumes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import AutoencoderKL

from ..errors import MarigoldError
from .data_sets import open_data_set
from .decoder import train_decoder
from .diffusion import DiffusionSettings
from .latents import CachedLatents, LatentBatch, encode_data_set
from .loop import LoopSettings, Turn
from .model_folder import write_demo_folder
from .recipe import empty_prompt, train_unet
from .unet import PROMPT_WIDTH, new_unet
from .vae import train_vae

RESOLUTION = 256
STEPS = 4
Losses = Callable[[int, int, float], None]


def run_vae(data: Path, run: Path, steps: int, report: Losses) -> None:
    """Train the VAE on a data set; the result is `run/vae/vae`.

    Once there it is never touched again: its scaling factor is part of every encoded view. Remove it to train longer.
    """
    if (run / "vae/vae/config.json").exists():
        return
    settings = LoopSettings(
        steps=steps, learning_rate=5e-4, ema=0.995, cooldown=0.3, precision="bf16", sample_every=200
    )
    train_vae(open_data_set(data), settings, run / "vae", report)


def run_encode(
    data: Path, run: Path, variants: int, report: Callable[[int, int], None], resolution: int = RESOLUTION
) -> int:
    """Encode the first `variants` views of each sample; returns the number of views there."""
    samples = open_data_set(data)
    return encode_data_set(samples, load_vae(run), latents_folder(run, resolution), report, range(variants), resolution)


def run_unet(
    run: Path,
    steps: int,
    batch: int,
    report: Losses,
    diffusion: DiffusionSettings,
    name: str = "unet",
    resolution: int = RESOLUTION,
    until: int = 0,
) -> None:
    """Train the U-Net on the cached latents, then pack the checkpoint into `run/NAME/checkpoint`.

    Args:
        resolution: of the views; a run may begin on small ones, which are learnt four times faster, and go on with
            large ones.
        until: step to end at for now.
    """
    torch.manual_seed(2024)
    latents = CachedLatents(latents_folder(run, resolution), batch)
    first = latents(Turn(0, 0, 0, 0, torch.device("cpu")))
    shown = LatentBatch(first.image[:6], first.depth[:6], first.valid[:6])
    settings = LoopSettings(
        steps=steps, learning_rate=2e-3, optimiser="muon", cooldown=0.6, ema=0.998, precision="bf16", until=until
    )
    vae = load_vae(run)
    prompt = empty_prompt(PROMPT_WIDTH)
    train_unet(new_unet(), vae, prompt, latents, settings, diffusion, run / name, report, shown)
    run_pack(run, name, run / name / "checkpoint", resolution)


def run_decoder(data: Path, run: Path, steps: int, report: Losses) -> None:
    """Train the decoder on latents with noise; the VAE with it is `run/decoder/vae`, which `run_pack` takes."""
    settings = LoopSettings(steps=steps, learning_rate=3e-4, ema=0.99, cooldown=0.7, precision="bf16")
    train_decoder(open_data_set(data), load_vae(run), settings, run / "decoder", report)


def latents_folder(run: Path, resolution: int) -> Path:
    return run / f"latents_{resolution}"


def run_pack(run: Path, name: str, folder: Path, resolution: int = RESOLUTION) -> None:
    """Pack the averaged weights of a run that may still be training, with the decoder that was trained last."""
    path = run / name / "state.pt"
    if not path.exists():
        raise MarigoldError("bad_input", f"There is no training checkpoint at {path} yet.")
    unet = new_unet()
    unet.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["average"])
    stage = "decoder" if (run / "decoder/vae/config.json").exists() else "vae"
    write_demo_folder(unet, load_vae(run, stage), folder, STEPS, resolution)


def load_vae(run: Path, stage: str = "vae") -> AutoencoderKL:
    folder = run / stage / "vae"
    if not (folder / "config.json").exists():
        raise MarigoldError("bad_input", f"{folder} holds no VAE yet; run the vae stage first.")
    return AutoencoderKL.from_pretrained(folder).eval()
