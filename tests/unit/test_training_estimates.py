# SPDX-License-Identifier: GPL-3.0-or-later
"""Tuning's later steps start from what the weights before estimated of views that they had not seen."""

import numpy as np
import pytest
import torch

from marigold_blender.errors import MarigoldError
from marigold_blender.training.diffusion import DiffusionSettings, diffusion_loss, new_scheduler
from marigold_blender.training.estimates import estimate_views
from marigold_blender.training.latents import CachedLatents, Estimate, LatentBatch
from marigold_blender.training.loop import Turn
from marigold_blender.training.noise import seeded_noise
from marigold_blender.training.recipe import empty_prompt
from marigold_blender.training.unet import PROMPT_WIDTH, new_unet

CPU = torch.device("cpu")
PROMPT = empty_prompt(PROMPT_WIDTH)


def silent(*_):
    pass


def write_view(path, seed: int, shape=(16, 24)) -> None:
    """A view whose latents are random, and whose columns can be told apart."""
    rng = np.random.default_rng(seed)
    image, depth = (rng.normal(size=(4, *shape)).astype(np.float16) for _ in range(2))
    code = np.broadcast_to(np.linspace(-1, 1, shape[1]), shape).astype(np.float16)
    np.savez(path, image=image, depth=depth, valid=np.ones((1, *shape), bool), code=code, nearest=1.0, has_sky=False)


class Records(torch.nn.Module):
    """Keeps the noisy depth and the timesteps that it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[torch.Tensor, torch.Tensor]] = []

    def forward(self, latents, timesteps, encoder_hidden_states):
        self.calls.append((latents[:, 4:], timesteps))

        class Output:
            sample = torch.zeros_like(latents[:, :4])

        return Output


@pytest.fixture
def views(tmp_path):
    folder = tmp_path / "views"
    folder.mkdir()
    for i in range(3):
        write_view(folder / f"picture_{i}.0.npz", i)
    return folder


def test_estimates_are_what_one_step_from_the_kept_noise_gives(views, tmp_path):
    torch.manual_seed(0)
    unet = new_unet()
    estimate_views(unet, PROMPT, views, tmp_path / "estimates", silent)
    scheduler = new_scheduler()
    scheduler.set_timesteps(1)
    for path in views.iterdir():
        image = torch.from_numpy(np.load(path)["image"]).float()[None]
        kept = np.load(tmp_path / "estimates" / path.name)
        noise = seeded_noise(int(kept["seed"]), image.shape[1:])[None]
        (t,) = scheduler.timesteps
        with torch.no_grad():
            velocity = unet(torch.cat([image, noise], 1), t, encoder_hidden_states=PROMPT).sample
        wanted = scheduler.step(velocity, t, noise).pred_original_sample[0]
        found = torch.from_numpy(kept["depth"]).float()
        assert (found - wanted).abs().mean() < 0.03 * wanted.std()  # it is made in bfloat16


def test_estimates_that_are_there_are_kept(views, tmp_path):
    estimates = tmp_path / "estimates"
    estimate_views(new_unet(), PROMPT, views, estimates, silent)
    before = {path: path.read_bytes() for path in estimates.iterdir()}
    write_view(views / "picture_9.0.npz", 9)
    estimate_views(new_unet(), PROMPT, views, estimates, silent)  # of other weights
    assert {path: path.read_bytes() for path in before} == before
    assert len(list(estimates.iterdir())) == len(before) + 1


def test_a_view_without_an_estimate_is_named(views, tmp_path):
    estimate_views(new_unet(), PROMPT, views, tmp_path / "estimates", silent)
    (tmp_path / "estimates/picture_1.0.npz").unlink()
    with pytest.raises(MarigoldError, match=r"picture_1\.0\.npz has no estimate"):
        CachedLatents(views, 2, estimates=tmp_path / "estimates")


@pytest.mark.parametrize("cut_share", [0.0, 1.0])
def test_estimate_and_noise_are_mirrored_and_cut_with_their_view(tmp_path, cut_share):
    views, estimates = tmp_path / "views", tmp_path / "estimates"
    views.mkdir()
    estimates.mkdir()
    write_view(views / "a.0.npz", 1)
    depth = np.load(views / "a.0.npz")["depth"]
    np.savez(estimates / "a.0.npz", depth=-depth, seed=7)
    noise = seeded_noise(7, torch.Size(depth.shape))
    latents = CachedLatents(views, 4, cut_share=cut_share, estimates=estimates)
    mirrored = set()
    for step in range(12):
        batch = latents(Turn(0, step, 0, 0, CPU))
        assert torch.equal(batch.estimate.depth, -batch.depth)
        height, width = batch.depth.shape[-2:]
        for found, code in zip(batch.estimate.noise, batch.truth.code, strict=True):
            flipped = bool(code[0, 0] > code[0, -1])
            whole = noise.flip(-1) if flipped else noise
            windows = whole.unfold(1, height, 1).unfold(2, width, 1)  # [4, places, places, h, w]
            assert (windows == found[:, None, None]).all(-1).all(-1).all(0).any()
            mirrored.add(flipped)
        assert height == 16 or cut_share
    assert mirrored == {True, False}


def test_later_steps_start_from_the_estimate_under_its_own_noise():
    generator = torch.Generator().manual_seed(1)
    image, depth, estimate, noise = (torch.randn(4, 4, 8, 8, generator=generator) for _ in range(4))
    batch = LatentBatch(image, depth, torch.ones(4, 1, 8, 8, dtype=torch.bool), estimate=Estimate(estimate, noise))
    scheduler, network = new_scheduler(), Records()
    settings = DiffusionSettings(own_share=1.0, inference_share=1.0)
    timesteps = set()
    for step in range(8):
        diffusion_loss(network, batch, torch.zeros(1, 2, 8), scheduler, settings, Turn(0, step, 0, 0, CPU))
        noisy, at = network.calls[step]  # one call a step: nothing is estimated anew
        torch.testing.assert_close(noisy, scheduler.add_noise(estimate, noise, at))
        timesteps |= set(at.tolist())
    scheduler.set_timesteps(4)
    assert timesteps == set(scheduler.timesteps[1:].tolist())
