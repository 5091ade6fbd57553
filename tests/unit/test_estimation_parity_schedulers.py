# SPDX-License-Identifier: GPL-3.0-or-later
"""Every published kind of scheduler gives the stock pipeline's depth, at odd sizes, own size, and in any batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, LCMScheduler, MarigoldDepthPipeline
from PIL import Image
from skimage import data

from marigold_blender.estimation.estimator import Estimator
from marigold_blender.estimation.noise import NoiseStream
from marigold_blender.settings import EstimateSettings
from tests.unit.checkpoints import V1_0_SCHEDULER, V1_1_SCHEDULER, save_small_checkpoint

TOLERANCE = 1e-4
KINDS = {
    "v1-0": (DDIMScheduler, V1_0_SCHEDULER, 10),
    "v1-1": (DDIMScheduler, V1_1_SCHEDULER, 4),
    "lcm": (LCMScheduler, {**V1_0_SCHEDULER, "original_inference_steps": 50}, 2),
    "e2e-ft": (DDIMScheduler, {**V1_0_SCHEDULER, "timestep_spacing": "trailing"}, 1),
}


@dataclass(frozen=True)
class Pair:
    """A checkpoint, loaded by both, and its usual number of steps."""

    ours: Estimator
    stock: MarigoldDepthPipeline
    steps: int


@pytest.fixture(scope="module", params=KINDS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    kind, config, steps = KINDS[request.param]
    folder: Path = tmp_path_factory.mktemp(request.param)
    save_small_checkpoint(folder, kind.from_config(config))
    stock = MarigoldDepthPipeline.from_pretrained(folder, dtype=torch.float32)
    stock.set_progress_bar_config(disable=True)
    return Pair(Estimator.load(folder, "cpu", zero_noise=request.param == "e2e-ft"), stock, steps)


def stream(member: int) -> NoiseStream:
    """The noise of the generator that the stock pipeline is given for a member."""
    generator = torch.Generator().manual_seed(100 + member)
    return lambda shape: torch.randn(shape, generator=generator)


def our_depth(pair: Pair, pixels: np.ndarray, resolution: int, resampling: str, member: int = 0) -> np.ndarray:
    settings = EstimateSettings(steps=pair.steps, ensemble=1, resolution=resolution)
    return pair.ours.estimate(
        pixels, settings, lambda *_: None, lambda: False, resampling=resampling, streams=[stream(member)]
    ).depth


def stock_depth(pair: Pair, pixels: np.ndarray, resolution: int, resampling: str) -> np.ndarray:
    longest = max(pixels.shape[:2])
    height, width = (edge * (resolution or longest) // longest for edge in pixels.shape[:2])
    zeros = torch.zeros(1, 4, -(-height // 8), -(-width // 8))
    generator = torch.Generator().manual_seed(100)
    return pair.stock(
        Image.fromarray(pixels),
        num_inference_steps=pair.steps,
        processing_resolution=resolution,
        **({"latents": zeros} if pair.ours.checkpoint.zero_noise else {"generator": generator}),
        resample_method_input=resampling,
        resample_method_output=resampling,
    ).prediction[0, :, :, 0]


@pytest.mark.parametrize(
    ("height", "width", "resolution"),
    [(96, 128, 128), (101, 77, 64), (59, 83, 0), (7, 200, 96), (64, 64, 0)],
    ids=["given", "odd", "own and odd", "a strip", "own"],
)
def test_sizes(pair: Pair, height: int, width: int, resolution: int) -> None:
    pixels = data.coffee()[100 : 100 + height, 200 : 200 + width]
    ours, theirs = (depth(pair, pixels, resolution, "bilinear") for depth in (our_depth, stock_depth))
    assert ours.shape == theirs.shape == (height, width)
    assert np.abs(ours - theirs).max() < TOLERANCE


@pytest.mark.parametrize("resampling", ["nearest", "nearest-exact", "bilinear", "bicubic", "area"])
def test_resampling(pair: Pair, resampling: str) -> None:
    pixels = data.astronaut()[11:141, 100:287]
    ours, theirs = (depth(pair, pixels, 96, resampling) for depth in (our_depth, stock_depth))
    # Bicubic interpolation overshoots: ours ends at 0 and 1.
    assert np.abs(ours - theirs.clip(0.0, 1.0)).max() < TOLERANCE


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_members_of_any_batch_are_those_alone(pair: Pair, batch_size: int) -> None:
    members = [0] if pair.ours.checkpoint.zero_noise else [0, 1, 2]  # without noise all members are one
    pixels = data.chelsea()[:75, :101]
    decoded: list[torch.Tensor] = []
    hook = pair.ours.checkpoint.vae.decoder.register_forward_hook(lambda _, __, made: decoded.append(made))
    settings = EstimateSettings(steps=pair.steps, ensemble=len(members), resolution=96)
    pair.ours.estimate(
        pixels,
        settings,
        lambda *_: None,
        lambda: False,
        batch_size=batch_size,
        streams=[stream(member) for member in members],
    )
    together = torch.cat(decoded)
    decoded.clear()
    for member in members:
        our_depth(pair, pixels, 96, "bilinear", member)
    hook.remove()
    assert (together - torch.cat(decoded)).abs().max() < 1e-5
