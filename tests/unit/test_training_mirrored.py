# SPDX-License-Identifier: GPL-3.0-or-later
"""Tuning holds a view's estimate to the mean of what the network says of it and of its mirrored twin."""

from dataclasses import replace

import pytest
import torch

from marigold_blender.training.aligned import DepthReadout
from marigold_blender.training.diffusion import DiffusionSettings, diffusion_loss, new_scheduler
from marigold_blender.training.latents import Estimate, LatentBatch, ViewTruth
from marigold_blender.training.loop import Turn
from marigold_blender.training.mirrored import beside_mirrored, twins_mean

TURN = Turn(0, 0, 0, 0, torch.device("cpu"))
ALONE = DiffusionSettings(noise_strength=0, terminal_share=1.0)
READ = DepthReadout(torch.full((1, 4, 3, 3), 1 / 36), torch.zeros(1))


def some_views(count: int = 3) -> LatentBatch:
    generator = torch.Generator().manual_seed(1)
    image, depth = (torch.randn(count, 4, 16, 24, generator=generator) for _ in range(2))
    code = torch.rand(count, 16, 24, generator=generator) * 2 - 1
    truth = ViewTruth(code, torch.full((count,), 0.5), torch.zeros(count, dtype=torch.bool))
    return LatentBatch(image, depth, torch.ones(count, 1, 16, 24, dtype=torch.bool), truth)


class Says(torch.nn.Module):
    """Estimates, from noise alone, what `of(image)` gives."""

    def __init__(self, of) -> None:
        super().__init__()
        self.of = of

    def forward(self, latents, timesteps, encoder_hidden_states):
        return type("Output", (), {"sample": -self.of(latents[:, :4])})


def added(network: torch.nn.Module, settings: DiffusionSettings, read: DepthReadout | None = None) -> torch.Tensor:
    """What the twins add to the loss of the views and their twins."""

    def loss(weight: float) -> torch.Tensor:
        chosen = replace(settings, mirrored=weight)
        return diffusion_loss(network, some_views(), torch.zeros(1, 2, 8), new_scheduler(), chosen, TURN, read)

    return loss(2.0) - loss(1.0)


def test_every_map_is_mirrored_and_every_number_kept():
    batch = replace(some_views(), estimate=Estimate(torch.randn(3, 4, 16, 24), torch.randn(3, 4, 16, 24)))
    both = beside_mirrored(batch)
    maps = [
        (part.image, part.depth, part.truth.code, part.estimate.depth, part.estimate.noise) for part in (batch, both)
    ]
    for one, two in zip(*maps, strict=True):
        assert torch.equal(two[:3], one)
        assert torch.equal(two[3:], one.flip(-1))
    assert torch.equal(both.valid[3:], batch.valid)
    assert torch.equal(both.truth.nearest, batch.truth.nearest.repeat(2))


def test_the_mean_is_each_twins_own_and_takes_no_gradient():
    maps = torch.randn(6, 4, 8, 8, requires_grad=True)
    mean = twins_mean(maps)
    assert not mean.requires_grad
    assert torch.equal(mean[:3], (maps[:3] + maps[3:].flip(-1)) / 2)
    assert torch.equal(mean[3:], mean[:3].flip(-1))


@pytest.mark.parametrize("settings", [ALONE, replace(ALONE, aligned=4.0, coarse=(2, 4), robust=0.2)])
def test_a_network_that_mirrors_what_is_mirrored_pays_nothing(settings):
    read = READ if settings.aligned else None
    plain = float(added(Says(lambda image: image * 0.7), replace(settings, aligned=0.0)))
    assert plain == pytest.approx(0, abs=1e-5)
    to_the_right = torch.linspace(-1, 1, 24).expand(4, 16, 24)
    assert float(added(Says(lambda image: image * 0.7 + to_the_right), settings, read)) > 0.1


def test_twins_are_drawn_towards_each_other():
    tilt = torch.nn.Parameter(torch.linspace(-1, 1, 24))
    network = Says(lambda image: 0 * image + tilt)
    first = added(network, ALONE)
    first.backward()
    before = float(first.detach())
    with torch.no_grad():
        tilt -= 5 * tilt.grad
    assert float(added(network, ALONE).detach()) < 0.5 * before
    assert float((tilt - tilt.flip(0)).detach().abs().max()) < 1.5  # it was 2; what is the same in both stays


def test_where_the_truth_is_under_the_noise_nothing_is_added():
    to_the_right = torch.linspace(-1, 1, 24).expand(4, 16, 24)
    network = Says(lambda image: image + to_the_right)
    assert float(added(network, replace(ALONE, terminal_share=0.0))) == 0
    assert float(added(network, replace(ALONE, terminal_share=0.0, own_share=1.0))) > 0
