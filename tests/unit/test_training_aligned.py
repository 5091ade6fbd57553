# SPDX-License-Identifier: GPL-3.0-or-later
"""The error that evaluation measures, counted on latents: depth that differs by scale and shift alone costs little."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from marigold_blender.training.aligned import NEAREST, PLAIN, RELATIVE, SKY, aligned_loss, fit_readout
from marigold_blender.training.diffusion import DiffusionSettings, diffusion_loss, new_scheduler
from marigold_blender.training.latents import LatentBatch, ViewTruth
from marigold_blender.training.loop import Turn

ALL = torch.tensor([True])


def one_view(code: torch.Tensor, nearest: float = 1.0, has_sky: bool = False) -> LatentBatch:
    """A view whose four depth latents are two mixtures of its depth and its slope, with some of the picture."""
    image = torch.randn(1, 4, *code.shape, generator=torch.Generator().manual_seed(5))
    slope = code.roll(1, 0) - code
    depth = torch.stack([code + 0.1, 0.5 * slope, -2 * code, code + slope])[None]
    truth = ViewTruth(code[None], torch.tensor([nearest]), torch.tensor([has_sky]))
    return LatentBatch(image, depth, torch.ones(1, 1, *code.shape, dtype=torch.bool), truth)


def ramp(near: float = -1.0, far: float = 1.0) -> torch.Tensor:
    return torch.linspace(near, far, 24)[:, None].expand(24, 16).clone()


def lost(depth: torch.Tensor, batch: LatentBatch) -> float:
    return float(aligned_loss(depth[None], batch, ALL))


def plain(depth: torch.Tensor, batch: LatentBatch) -> float:
    """The part that does not align."""
    assert batch.truth is not None
    return PLAIN * float((depth.clamp(-1, 1) - batch.truth.code[0]).abs().mean()) / 2


def test_depth_is_read_from_latents_that_hold_it():
    generator = torch.Generator().manual_seed(1)
    views = [one_view(torch.rand(24, 16, generator=generator) * 2 - 1) for _ in range(9)]
    read = fit_readout(lambda i: views[i])
    torch.testing.assert_close(read(views[8].depth)[0], views[8].truth.code[0], atol=1e-4, rtol=0)


def test_only_what_scale_and_shift_leave_counts():
    batch = one_view(ramp())
    assert lost(ramp(), batch) == pytest.approx(0, abs=2e-3)
    flat = ramp(-0.5, 0.3)
    assert lost(flat, batch) == pytest.approx(plain(flat, batch), abs=6e-3)
    bent = ramp() ** 3
    assert lost(bent, batch) > plain(bent, batch) + 0.1


def test_errors_of_near_things_count_more_the_nearer_they_are():
    wrong = ramp()
    wrong[:4] += 0.4
    close, far = (lost(wrong, one_view(ramp(), nearest)) for nearest in (0.05, 20.0))
    assert close > 1.5 * far
    seen, unit = wrong.clamp(-1, 1).flatten().numpy(), (ramp().flatten().numpy() + 1) / 2
    error = abs(np.clip(np.polyval(np.polyfit(seen, unit, 1), seen), 0, 1) - unit)
    apart = (error / np.maximum(unit + 0.05, NEAREST) - error / (unit + 20.0)).mean()
    assert close - far == pytest.approx(RELATIVE * apart, rel=0.02)


def test_sky_has_to_be_far_and_is_left_out_of_the_alignment():
    code = ramp(-1.0, 0.8)
    code[-6:] = 1.0
    batch = one_view(code, has_sky=True)
    assert lost(code * 2, batch) == pytest.approx(lost(code.clamp(max=0.999) * 2, batch), abs=1e-2)  # it is clipped
    near_sky = code.clone()
    near_sky[-6:] = 0.37
    added = lost(near_sky, batch) - lost(code, batch)
    assert added == pytest.approx((SKY * 0.6 + PLAIN * 0.63 / 2) * 6 / 24, abs=1e-3)


def test_views_that_do_not_count_have_no_say_and_those_without_depth_are_refused():
    batch = one_view(ramp())
    assert float(aligned_loss(-ramp()[None], batch, torch.tensor([False]))) == 0
    with pytest.raises(ValueError, match="true depth"):
        aligned_loss(ramp()[None], replace(batch, truth=None), ALL)


def test_a_network_is_pulled_towards_the_truth():
    """Gradients reach the velocity at the last timestep, and from the truth there is nothing to gain."""
    batch = one_view(ramp())
    read = fit_readout(lambda i: one_view(torch.rand(24, 16, generator=torch.Generator().manual_seed(i)) * 2 - 1))
    objective = DiffusionSettings(terminal_share=1.0, aligned=1.0)

    class Says(torch.nn.Module):
        def __init__(self, depth: torch.Tensor) -> None:
            super().__init__()
            self.velocity = torch.nn.Parameter(-depth)

        def forward(self, *_: torch.Tensor, **__: torch.Tensor):
            return type("Output", (), {"sample": self.velocity})

    def loss(network: torch.nn.Module, objective: DiffusionSettings) -> torch.Tensor:
        turn = Turn(0, 0, 0, 0, torch.device("cpu"))
        return diffusion_loss(network, batch, torch.zeros(1, 2, 8), new_scheduler(), objective, turn, read)

    wrong = Says(batch.depth.roll(8, 2))
    added = loss(wrong, objective) - loss(wrong, replace(objective, aligned=0.0))
    added.backward()
    assert added > 0.05
    assert wrong.velocity.grad.abs().sum() > 0
    with torch.no_grad():
        wrong.velocity -= 20 * wrong.velocity.grad
    assert loss(wrong, objective) - loss(wrong, replace(objective, aligned=0.0)) < added
    assert loss(Says(batch.depth), objective) < 1e-2
