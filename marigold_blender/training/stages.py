# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo checkpoint's stages after the data: VAE, encoding, U-Net, packing. Called by `command.py`; each resumes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from ..errors import MarigoldError
from .attention import attend_to_empty_prompt
from .data_sets import open_data_set
from .decoder import train_decoder
from .diffusion import INFERENCE_STEPS, DiffusionSettings
from .estimates import estimate_views
from .far_end import calibrate_far_end
from .growth import deepen_unet, grow_unet
from .latents import CachedLatents, encode_data_set
from .loop import LoopSettings, Turn
from .model_folder import replace_folder, write_demo_folder
from .recipe import empty_prompt, train_unet
from .unet import DEEPER, LARGE_VIEWS, PROMPT_WIDTH, SMALL_VIEWS, new_unet
from .vae import train_vae

RESOLUTION = 256
TUNING_DROPOUT = 0.05  # half of that before: it sees each picture a few times only
TUNING_RATE = 5e-4  # a fourth of what the weights were made with: more would forget pictures that it does not see
TUNING_CUTS = 0.4  # share of its batches that are cut to sizes between those of views
Losses = Callable[[int, int, float], None]


def run_vae(data: Path, run: Path, steps: int, report: Losses) -> None:
    """Train the VAE on a data set; the result is `run/vae/vae`.

    Once there it is never touched again: its scaling factor is part of every encoded view. Remove it to train longer.
    """
    if (run / "vae/vae/config.json").exists():
        return
    settings = LoopSettings(
        steps=steps, learning_rate=5e-4, ema=0.995, cooldown=0.3, precision="auto", sample_every=200
    )
    train_vae(open_data_set(data), settings, run / "vae", report)


def run_encode(
    data: Path,
    run: Path,
    variants: int,
    report: Callable[[int, int], None],
    resolution: int = RESOLUTION,
    enlarge: int = 1,
) -> int:
    """Encode the first `variants` views of each sample; returns the number of views there."""
    samples, folder = open_data_set(data), latents_folder(run, resolution)
    return encode_data_set(samples, load_vae(run), folder, report, range(variants), resolution, enlarge=enlarge)


def run_unet(
    run: Path,
    steps: int,
    batch: int,
    report: Losses,
    diffusion: DiffusionSettings,
    name: str = "unet",
    resolution: int = RESOLUTION,
    until: int = 0,
    grows: str = "",
    tunes: str = "",
    estimated: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Train the U-Net on the cached latents, then pack the checkpoint into `run/NAME/checkpoint`.

    Args:
        resolution: of the views; a run may begin on small ones, which are learnt four times faster, and go on with
            larger ones.
        until: step to end at for now.
        grows: name of a finished run on views of half the size: its U-Net gains a level and is trained on from there.
        tunes: name of a finished run whose averaged weights are trained on, at a low rate that falls from the start,
            with a second layer at the lowest level but one. What they estimate of the views is kept first: later steps
            learn from that, and not from estimates of views that are known by then.
        estimated: called with (views that have such an estimate, all).
    """
    torch.manual_seed(2024)
    views, prompt = latents_folder(run, resolution), empty_prompt(PROMPT_WIDTH)
    if tunes:
        estimates = run / name / "estimates"
        estimate_views(averaged_unet(run, tunes), prompt, views, estimates, estimated)
        latents = CachedLatents(views, batch, cut_share=TUNING_CUTS, estimates=estimates)
    else:
        latents = CachedLatents(views, batch)
    settings = LoopSettings(
        steps=steps, learning_rate=2e-3, optimiser="muon", cooldown=0.6, ema=0.998, precision="auto", until=until
    )
    unet = new_unet()
    if grows:
        settings = replace(settings, learning_rate=1e-3, warmup=50, cooldown=1.0, ema=0.995)
        goes_on = (run / name / "state.pt").exists()  # its own weights are loaded then
        source = averaged_unet(run, name if goes_on else grows)
        unet = new_unet(LARGE_VIEWS, dropout=0.0, deep=_is_deep(source))
        if not goes_on:
            if len(source.config.block_out_channels) != len(SMALL_VIEWS):
                raise MarigoldError("bad_input", f"The run “{grows}” has grown already; name one that has not.")
            grow_unet(source, unet, lambda i: latents(_turn(i)))
    if tunes:
        settings = replace(settings, learning_rate=TUNING_RATE, warmup=50, cooldown=1.0, dropout_ends=0.8)
        unet = _deepened(averaged_unet(run, tunes, TUNING_DROPOUT), TUNING_DROPOUT).train()
    attend_to_empty_prompt(unet)
    vae = load_vae(run)
    shown = latents(_turn(0)).first(6)
    train_unet(unet, vae, prompt, latents, settings, diffusion, run / name, report, shown)
    run_pack(run, name, run / name / "checkpoint", resolution)


def _is_deep(unet: UNet2DConditionModel) -> bool:
    return unet.config.layers_per_block != 1


def _deepened(unet: UNet2DConditionModel, dropout: float) -> UNet2DConditionModel:
    if _is_deep(unet):
        return unet
    deep = new_unet(tuple(unet.config.block_out_channels), dropout, deep=True)
    deepen_unet(unet, deep)
    return deep


def run_far_end(run: Path, name: str, resolution: int = RESOLUTION) -> float:
    """Give the VAE the contrast at the far end that a U-Net needs: `run/NAME/far_end/vae`, which `run_pack` takes.

    Returns:
        The scale (see `calibrate_far_end`).
    """
    vae = load_vae(run, "decoder" if _has_vae(run, "decoder") else "vae")
    latents = CachedLatents(latents_folder(run, resolution), 8)
    scale = calibrate_far_end(averaged_unet(run, name), vae, empty_prompt(PROMPT_WIDTH), lambda i: latents(_turn(i)))
    folder = run / name / "far_end"
    vae.save_pretrained(folder / ".vae.writing", safe_serialization=True)
    replace_folder(folder / ".vae.writing", folder / "vae")
    return scale


def _turn(step: int) -> Turn:
    return Turn(0, step, 0, 0, torch.device("cpu"))


def run_decoder(data: Path, run: Path, steps: int, report: Losses) -> None:
    """Train the decoder on latents with noise; the VAE with it is `run/decoder/vae`, which `run_pack` takes."""
    settings = LoopSettings(steps=steps, learning_rate=3e-4, ema=0.99, cooldown=0.7, precision="auto")
    train_decoder(open_data_set(data), load_vae(run), settings, run / "decoder", report)


def latents_folder(run: Path, resolution: int) -> Path:
    return run / f"latents_{resolution}"


def run_pack(run: Path, name: str, folder: Path, resolution: int = RESOLUTION) -> None:
    """Pack the averaged weights of a run that may still be training, with the decoder that was trained last."""
    unet = averaged_unet(run, name)
    stages = (f"{name}/far_end", "decoder", "vae")
    stage = next((stage for stage in stages if _has_vae(run, stage)), "vae")
    write_demo_folder(unet, load_vae(run, stage), folder, INFERENCE_STEPS, resolution)


def averaged_unet(run: Path, name: str, dropout: float = 0.0) -> UNet2DConditionModel:
    """The U-Net of a run with its averaged weights, however far it is; for use, or with dropout for more training."""
    path = run / name / "state.pt"
    if not path.exists():
        raise MarigoldError("bad_input", f"There is no training checkpoint at {path} yet.")
    state = torch.load(path, map_location="cpu", weights_only=True)["average"]
    lowest = len(SMALL_VIEWS) - 1
    grown = any(key.startswith(f"down_blocks.{lowest + 1}.") for key in state)
    deeper = f"down_blocks.{lowest + grown - DEEPER}.resnets.1."
    deep = any(key.startswith(deeper) for key in state)
    unet = new_unet(LARGE_VIEWS if grown else SMALL_VIEWS, dropout, deep)
    unet.load_state_dict(state)
    return unet.eval()


def _has_vae(run: Path, stage: str) -> bool:
    return (run / stage / "vae/config.json").exists()


def load_vae(run: Path, stage: str = "vae") -> AutoencoderKL:
    folder = run / stage / "vae"
    if not _has_vae(run, stage):
        raise MarigoldError("bad_input", f"{folder} holds no VAE yet; run the vae stage first.")
    return AutoencoderKL.from_pretrained(folder).eval()
