# SPDX-License-Identifier: GPL-3.0-or-later
"""With the same weights, latents and settings the depth is the stock MarigoldDepthPipeline's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, LCMScheduler, MarigoldDepthPipeline
from PIL import Image
from skimage import data

from marigold_blender.estimation.estimator import Estimator
from marigold_blender.estimation.noise import NoiseStream, member_noise
from marigold_blender.settings import EstimateSettings
from tests.unit.checkpoints import DEMO, V1_0_SCHEDULER, V1_1_SCHEDULER, save_small_checkpoint

TOLERANCE = 1e-4


def stock(folder: Path) -> MarigoldDepthPipeline:
    pipeline = MarigoldDepthPipeline.from_pretrained(folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def stock_depth(pipeline: MarigoldDepthPipeline, pixels: np.ndarray, **options: object) -> np.ndarray:
    return pipeline(Image.fromarray(pixels), **options).prediction[0, :, :, 0]


def quietly(estimator: Estimator, pixels: np.ndarray, settings: EstimateSettings, **options: object) -> np.ndarray:
    return estimator.estimate(pixels, settings, lambda *_: None, lambda: False, **options).depth


def first_latent(seed: int, pixels: np.ndarray, resolution: int, factor: int) -> torch.Tensor:
    """The latent that member 0 starts from, in the shape that the stock pipeline takes."""
    height, width = (edge * resolution // max(pixels.shape[:2]) for edge in pixels.shape[:2])
    return member_noise(seed, 0)((4, -(-height // factor), -(-width // factor)))[None]


@pytest.fixture(scope="module")
def demo() -> Estimator:
    return Estimator.load(DEMO, "cpu")


@pytest.fixture(scope="module")
def stock_demo() -> MarigoldDepthPipeline:
    return stock(DEMO)


@pytest.mark.parametrize(
    ("height", "width", "resolution", "steps"),
    [(400, 600, 160, 4), (101, 77, 160, 1), (333, 411, 96, 3), (37, 41, 64, 2)],
    ids=["larger", "odd and smaller", "odd both ways", "tiny"],
)
def test_the_demo_checkpoint_gives_the_stock_depth(
    demo: Estimator, stock_demo: MarigoldDepthPipeline, height: int, width: int, resolution: int, steps: int
) -> None:
    pixels = data.coffee()[:height, :width]
    ours = quietly(demo, pixels, EstimateSettings(steps=steps, ensemble=1, resolution=resolution, seed=7))
    latents = first_latent(7, pixels, resolution, demo.checkpoint.latent_factor)
    theirs = stock_depth(
        stock_demo, pixels, num_inference_steps=steps, processing_resolution=resolution, latents=latents
    )
    assert ours.shape == theirs.shape == (height, width)
    assert np.abs(ours - theirs).max() < TOLERANCE


def test_the_photos_own_resolution_gives_the_stock_depth(demo: Estimator, stock_demo: MarigoldDepthPipeline) -> None:
    pixels = data.chelsea()[20:111, 60:197]
    ours = quietly(demo, pixels, EstimateSettings(steps=2, ensemble=1, resolution=0, seed=1))
    latents = first_latent(1, pixels, max(pixels.shape), demo.checkpoint.latent_factor)
    theirs = stock_depth(stock_demo, pixels, num_inference_steps=2, processing_resolution=0, latents=latents)
    assert np.abs(ours - theirs).max() < TOLERANCE


@pytest.mark.parametrize("resampling", ["nearest", "nearest-exact", "bilinear", "bicubic", "area"])
def test_every_resampling_gives_the_stock_depth(
    demo: Estimator, stock_demo: MarigoldDepthPipeline, resampling: str
) -> None:
    pixels = data.rocket()[:301, :451]
    ours = quietly(demo, pixels, EstimateSettings(steps=1, ensemble=1, resolution=96), resampling=resampling)
    theirs = stock_depth(
        stock_demo,
        pixels,
        num_inference_steps=1,
        processing_resolution=96,
        latents=first_latent(0, pixels, 96, demo.checkpoint.latent_factor),
        resample_method_input=resampling,
        resample_method_output=resampling,
    )
    # Bicubic interpolation overshoots: ours ends at 0 and 1.
    assert np.abs(ours - theirs.clip(0.0, 1.0)).max() < TOLERANCE


def test_an_ensemble_s_members_are_the_stock_members(demo: Estimator, stock_demo: MarigoldDepthPipeline) -> None:
    pixels = data.astronaut()[100:300, 100:400]
    size = (4, 27, 40)
    latents = torch.stack([member_noise(3, member)(size) for member in range(3)])
    theirs = [
        stock_depth(stock_demo, pixels, num_inference_steps=2, processing_resolution=160, latents=latents[member, None])
        for member in range(3)
    ]
    for member in range(3):
        ours = quietly(
            demo,
            pixels,
            EstimateSettings(steps=2, ensemble=1, resolution=160),
            streams=[member_noise(3, member)],
        )
        assert np.abs(ours - theirs[member]).max() < TOLERANCE


@pytest.mark.parametrize(
    ("scheduler", "steps"),
    [(V1_0_SCHEDULER, 7), (V1_1_SCHEDULER, 1), (V1_1_SCHEDULER, 4)],
    ids=["v1-0", "v1-1 one step", "v1-1"],
)
def test_published_scheduler_configurations(tmp_path: Path, scheduler: dict, steps: int) -> None:
    save_small_checkpoint(tmp_path, DDIMScheduler.from_config(scheduler))
    pixels = data.coffee()[:123, :187]
    estimator = Estimator.load(tmp_path, "cpu")
    assert estimator.checkpoint.latent_factor == 8
    ours = quietly(estimator, pixels, EstimateSettings(steps=steps, ensemble=1, resolution=128, seed=5))
    theirs = stock_depth(
        stock(tmp_path),
        pixels,
        num_inference_steps=steps,
        processing_resolution=128,
        latents=first_latent(5, pixels, 128, 8),
    )
    assert np.abs(ours - theirs).max() < TOLERANCE


def test_a_single_step_of_v1_0_is_taken_as_its_repair_does(tmp_path: Path) -> None:
    """Stock diffusers takes it at t=1 and returns noise; with trailing spacing it is as good as many steps."""
    save_small_checkpoint(tmp_path, DDIMScheduler.from_config(V1_0_SCHEDULER))
    pixels = data.coffee()[:123, :187]
    settings = EstimateSettings(steps=1, ensemble=1, resolution=128, seed=5)
    ours = quietly(Estimator.load(tmp_path, "cpu"), pixels, settings)
    repaired = stock(tmp_path)
    repaired.scheduler = DDIMScheduler.from_config({**V1_0_SCHEDULER, "timestep_spacing": "trailing"})
    first = first_latent(5, pixels, 128, 8)
    theirs = stock_depth(repaired, pixels, num_inference_steps=1, processing_resolution=128, latents=first)
    assert np.abs(ours - theirs).max() < TOLERANCE


@pytest.mark.parametrize("steps", [1, 4])
def test_consistency_models_with_a_generator_for_each_member(tmp_path: Path, steps: int) -> None:
    """LCM draws noise between its steps: the streams are those of the generators that the stock pipeline is given."""
    save_small_checkpoint(tmp_path, LCMScheduler.from_config({**V1_0_SCHEDULER, "original_inference_steps": 50}))
    pixels = data.chelsea()[:96, :128]

    def generators() -> list[torch.Generator]:
        return [torch.Generator().manual_seed(40 + member) for member in range(3)]

    theirs = stock(tmp_path)(
        Image.fromarray(pixels),
        num_inference_steps=steps,
        processing_resolution=128,
        ensemble_size=3,
        batch_size=3,
        generator=generators(),
        output_latent=True,
    ).latent

    estimator = Estimator.load(tmp_path, "cpu")
    latents = []
    estimator.checkpoint.vae.post_quant_conv.register_forward_pre_hook(lambda _, inputs: latents.append(inputs[0]))
    streams: list[NoiseStream] = [_stream(generator) for generator in generators()]
    quietly(estimator, pixels, EstimateSettings(steps=steps, ensemble=3, resolution=128), streams=streams, batch_size=2)
    ours = torch.cat(latents) * estimator.checkpoint.vae.config.scaling_factor
    assert (ours - theirs).abs().max() < TOLERANCE


def _stream(generator: torch.Generator) -> Callable[[tuple[int, ...]], torch.Tensor]:
    # randn_tensor of diffusers draws [1, 4, h, w] for each generator: the same numbers as [4, h, w].
    return lambda shape: torch.randn(shape, generator=generator)


def test_single_step_checkpoints_start_from_zeros(tmp_path: Path) -> None:
    """E2E-FT: DDIM with trailing spacing, one step, latents of zeros."""
    save_small_checkpoint(tmp_path, DDIMScheduler.from_config({**V1_0_SCHEDULER, "timestep_spacing": "trailing"}))
    pixels = data.coffee()[:128, :128]
    ours = quietly(
        Estimator.load(tmp_path, "cpu", zero_noise=True), pixels, EstimateSettings(steps=1, ensemble=1, resolution=128)
    )
    theirs = stock_depth(
        stock(tmp_path), pixels, num_inference_steps=1, processing_resolution=128, latents=torch.zeros(1, 4, 16, 16)
    )
    assert np.abs(ours - theirs).max() < TOLERANCE


def test_16_bit_photos_reach_the_network_in_full(demo: Estimator, stock_demo: MarigoldDepthPipeline) -> None:
    pixels = data.coffee()[:160, :160]
    deep = (pixels / 255.0).astype(np.float32)
    ours = quietly(demo, deep, EstimateSettings(steps=1, ensemble=1, resolution=160))
    theirs = stock_demo(
        torch.from_numpy(deep).permute(2, 0, 1)[None],
        num_inference_steps=1,
        processing_resolution=160,
        latents=first_latent(0, pixels, 160, 4),
    ).prediction[0, :, :, 0]
    assert np.abs(ours - theirs).max() < TOLERANCE
