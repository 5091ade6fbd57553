# SPDX-License-Identifier: GPL-3.0-or-later
"""What the decoder learns from a U-Net's estimates: where sky begins, and to let errors of the whole picture be."""

import pytest
import torch

from marigold_blender.training.estimates import MAYBE_SKY, EstimatedViews, estimate_loss

ROWS, COLUMNS = 32, 40


def views(truth: torch.Tensor, has_sky: bool) -> EstimatedViews:
    count = len(truth)
    return EstimatedViews(
        torch.zeros(count, 4, 8, 10), truth, torch.ones_like(truth, dtype=torch.bool), torch.full((count,), has_sky)
    )


def slope() -> torch.Tensor:
    return torch.linspace(-1, 0.7, ROWS)[None, :, None].repeat(1, 1, COLUMNS)


def best_of_hesitation(chance: float) -> float:
    """What a pixel comes out as if estimates look the same where it is sky (with this chance) and where it is hills."""
    others = slope().flatten()
    skies, hills = torch.cat([others, torch.ones(100)]), torch.cat([others, torch.full((100,), 0.5)])
    value = torch.tensor(0.6, requires_grad=True)
    optimiser = torch.optim.Adam([value], 0.01)
    for step in range(400):
        optimiser.param_groups[0]["lr"] = 0.01 * (1 - step / 400)
        depth = torch.cat([others, value.expand(100)])
        either = [estimate_loss(depth.view(1, 1, -1), views(truth.view(1, 1, -1), True)) for truth in (skies, hills)]
        optimiser.zero_grad()
        (chance * either[0] + (1 - chance) * either[1]).backward()
        optimiser.step()
    return float(value.detach())


def test_an_estimate_that_is_wrong_as_a_whole_costs_nothing():
    truth = slope()
    assert float(estimate_loss(truth * 0.7 - 0.1, views(truth, False))) == pytest.approx(0, abs=1e-3)
    assert float(estimate_loss(truth.flip(1), views(truth, False))) > 0.2


def test_finite_depth_may_not_reach_into_the_sky():
    truth = slope()
    truth[:, :8] = 1
    depth = truth.clone()
    depth[:, 8:12] = 0.95
    indoors = truth.clone()
    assert float(estimate_loss(depth, views(truth, True))) > 0.05
    assert float(estimate_loss(indoors * 1.05, views(truth, True))) < 0.02


def test_what_is_hardly_sky_stays_finite_what_may_be_counts_as_far_and_what_surely_is_passes_the_end():
    assert best_of_hesitation(0.1) < 0.7
    assert 0.8 < best_of_hesitation(0.5) < MAYBE_SKY + 0.02
    assert best_of_hesitation(0.9) > 1
