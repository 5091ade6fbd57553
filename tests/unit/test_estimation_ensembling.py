# SPDX-License-Identifier: GPL-3.0-or-later
"""Ensembles are aligned at least as well as by the official solver, and merged as in the stock pipeline."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.optimize
import torch
from diffusers import MarigoldDepthPipeline
from skimage import data
from sklearn.datasets import load_sample_image

from marigold_blender.errors import MarigoldError
from marigold_blender.estimation import ensembling
from marigold_blender.estimation.cancelling import stop_if
from marigold_blender.estimation.ensembling import Alignment, Ensemble, Moments, Reduction, lower_median
from marigold_blender.estimation.estimator import Estimator
from marigold_blender.estimation.noise import member_noise
from marigold_blender.settings import EstimateSettings
from tests.unit.checkpoints import DEMO

PHOTOS: dict[str, Callable[[], np.ndarray]] = {
    "china": lambda: load_sample_image("china.jpg"),
    "coffee": data.coffee,
    "astronaut": data.astronaut,
}


@pytest.fixture(scope="module")
def demo() -> Estimator:
    return Estimator.load(DEMO, "cpu")


def real_members(demo: Estimator, photo: str, count: int) -> torch.Tensor:
    """Single predictions of the demo checkpoint at its own size, [E, H, W]."""
    pixels = PHOTOS[photo]()
    height, width = (edge * 160 // max(pixels.shape[:2]) for edge in pixels.shape[:2])
    pixels = np.asarray(pixels[:: pixels.shape[0] // height, :: pixels.shape[1] // width])[:height, :width]
    settings = EstimateSettings(steps=2, ensemble=1, resolution=0)
    return torch.stack(
        [
            torch.from_numpy(
                demo.estimate(pixels, settings, lambda *_: None, lambda: False, streams=[member_noise(0, member)]).depth
            )
            for member in range(count)
        ]
    )


def gathered(members: torch.Tensor) -> Ensemble:
    ensemble = Ensemble()
    ensemble.add(members)
    return ensemble


def merge_members(members: torch.Tensor, reduction: Reduction = "median") -> tuple[torch.Tensor, torch.Tensor]:
    return gathered(members).merge(reduction)


def align_members(members: torch.Tensor) -> Alignment:
    return gathered(members).align()


def measure_moments(members: torch.Tensor) -> Moments:
    return gathered(members).moments()


def objective(members: torch.Tensor, scales: np.ndarray, shifts: np.ndarray) -> float:
    """The official code's cost, pixel by pixel (marigold/util/ensemble.py, `cost_fn`)."""
    aligned = (
        members * torch.from_numpy(scales).float()[:, None, None] + torch.from_numpy(shifts).float()[:, None, None]
    )
    cost = sum(((aligned[i] - aligned[j]) ** 2).mean().sqrt().item() for i in range(len(aligned)) for j in range(i))
    median = aligned.median(dim=0).values
    return cost + 0.02 * (abs(median.min().item()) + abs(1.0 - median.max().item()))


def official_alignment(
    members: torch.Tensor, monkeypatch: pytest.MonkeyPatch, **options: object
) -> tuple[np.ndarray, np.ndarray]:
    """What diffusers' own solver finds with the official settings."""
    found = []
    solver = scipy.optimize.minimize

    def watched(*arguments: object, **options: object) -> object:
        found.append(solver(*arguments, **options))
        return found[-1]

    with monkeypatch.context() as patch:
        patch.setattr(scipy.optimize, "minimize", watched)
        MarigoldDepthPipeline.ensemble_depth(
            members[:, None], output_uncertainty=True, max_iter=50, tol=1e-6, **options
        )
    scales, shifts = np.split(found[0].x, 2)
    return scales, shifts


@pytest.mark.parametrize(("photo", "count"), [("china", 4), ("coffee", 4), ("astronaut", 3)])
def test_the_objective_is_no_worse_than_the_official_solvers(
    demo: Estimator, monkeypatch: pytest.MonkeyPatch, photo: str, count: int
) -> None:
    members = real_members(demo, photo, count)
    ours = align_members(members)
    theirs = official_alignment(members, monkeypatch)
    assert objective(members, ours.scales, ours.shifts) <= 1.001 * objective(members, *theirs)


def test_the_gradient_is_exact() -> None:
    moments = measure_moments(_same_scene(5, noise=0.05))
    point = np.random.default_rng(1).normal(0.0, 0.1, 10)
    _, gradient = ensembling.misalignment(point, moments)
    for index in range(10):
        step = np.zeros(10)
        step[index] = 1e-6
        ahead, behind = (ensembling.misalignment(point + sign * step, moments)[0] for sign in (1.0, -1.0))
        assert (ahead - behind) / 2e-6 == pytest.approx(gradient[index], abs=1e-6)


def test_moments_are_those_of_all_pixels() -> None:
    members = torch.rand(4, 101, 701, generator=torch.Generator().manual_seed(0))
    moments = measure_moments(members)
    exact = members.reshape(4, -1).double().numpy()
    assert np.allclose(moments.means, exact.mean(axis=1), atol=1e-12)
    assert np.allclose(moments.covariances, np.cov(exact, bias=True), atol=1e-12)


@pytest.mark.parametrize("pieces", [(1, 1, 1, 1, 1), (2, 3), (4, 1)])
@pytest.mark.parametrize("reduction", ["median", "mean"])
def test_members_may_arrive_one_by_one(pieces: tuple[int, ...], reduction: Reduction) -> None:
    members = _same_scene(5, noise=0.05)
    ensemble = Ensemble()
    for some in members.split(pieces):
        ensemble.add(some)
    together = merge_members(members, reduction)
    for arrived, whole in zip(ensemble.merge(reduction), together, strict=True):
        assert (arrived - whole).abs().max() < 1e-6


def test_what_has_arrived_can_be_merged_before_the_rest(demo: Estimator) -> None:
    members = real_members(demo, "coffee", 4)
    ensemble = gathered(members[:2])
    assert torch.equal(ensemble.merge()[0], merge_members(members[:2])[0])
    ensemble.add(members[2:])
    assert (ensemble.merge()[0] - merge_members(members)[0]).abs().max() < 1e-6


def test_nearly_equal_members_give_nearly_equal_depth(demo: Estimator) -> None:
    """What rounding makes of another batch size must not be magnified."""
    members = real_members(demo, "coffee", 5)
    noise = 1e-6 * torch.randn(members.shape, generator=torch.Generator().manual_seed(0))
    difference = merge_members(members + noise)[0] - merge_members(members)[0]
    assert difference.abs().max() < 1e-5


def test_members_of_one_scene_under_different_scales_and_shifts_are_brought_together() -> None:
    scene = torch.linspace(0.0, 1.0, 48 * 64).reshape(48, 64) ** 2
    members = torch.stack([scene * scale + shift for scale, shift in ((0.5, 0.1), (0.9, 0.05), (0.3, 0.6))])
    depth, uncertainty = merge_members(members)
    assert (depth - scene).abs().max() < 1e-5
    assert uncertainty.max() < 1e-5


@pytest.mark.parametrize("reduction", ["median", "mean"])
def test_merging_is_the_stock_merging_once_members_are_aligned(
    monkeypatch: pytest.MonkeyPatch, reduction: Reduction
) -> None:
    members = _same_scene(4, noise=0.05)
    stock_options = {"output_uncertainty": True, "max_iter": 50, "tol": 1e-6, "reduction": reduction}
    scales, shifts = official_alignment(members, monkeypatch, reduction=reduction)
    stock = MarigoldDepthPipeline.ensemble_depth(members[:, None], **stock_options)
    monkeypatch.setattr(Ensemble, "align", lambda *_: Alignment(scales, shifts))
    depth, uncertainty = merge_members(members, reduction)
    assert (depth - stock[0][0, 0]).abs().max() < 1e-6
    assert (uncertainty - stock[1][0, 0]).abs().max() < 1e-6


def test_large_members_are_merged_in_pieces_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    members = _same_scene(3, noise=0.05)
    whole = merge_members(members)
    monkeypatch.setattr(ensembling, "MERGED_AT_ONCE", 500)
    pieces = merge_members(members)
    assert torch.equal(whole[0], pieces[0])
    assert torch.equal(whole[1], pieces[1])


@pytest.mark.parametrize("count", [*range(2, 13), 25, 50])
def test_the_median_is_torchs(count: int) -> None:
    values = torch.rand(count, 20, 30)
    assert torch.equal(lower_median(values), values.median(dim=0).values)


def test_uncertainty_is_where_members_differ() -> None:
    scene = torch.linspace(0.0, 1.0, 64).repeat(48, 1)
    members = scene.repeat(5, 1, 1)
    generator = torch.Generator().manual_seed(0)
    members[:, 10:20, 20:40] += 0.2 * torch.randn(5, 10, 20, generator=generator)
    _, uncertainty = merge_members(members)
    assert uncertainty[10:20, 20:40].mean() > 20 * uncertainty[30:].mean()


def test_identical_members_give_that_member_and_no_uncertainty() -> None:
    scene = torch.rand(30, 40, generator=torch.Generator().manual_seed(0))
    depth, uncertainty = merge_members(scene.repeat(4, 1, 1))
    assert (depth - (scene - scene.min()) / (scene.max() - scene.min())).abs().max() < 1e-6
    assert uncertainty.max() == 0.0


def test_constant_members_give_finite_depth() -> None:
    depth, uncertainty = merge_members(torch.full((3, 20, 30), 0.4))
    assert torch.equal(depth, torch.zeros(20, 30))
    assert torch.equal(uncertainty, torch.zeros(20, 30))


@pytest.mark.parametrize("count", [2, 3, 6])
def test_members_that_disagree_completely_give_finite_depth_in_range(count: int) -> None:
    members = torch.rand(count, 40, 50, generator=torch.Generator().manual_seed(count))
    depth, uncertainty = merge_members(members)
    assert depth.min() == 0.0
    assert depth.max() == 1.0
    assert torch.isfinite(uncertainty).all()
    assert 0.0 <= uncertainty.min() <= uncertainty.max() <= 1.0


def test_a_member_turned_inside_out_does_not_turn_the_others() -> None:
    scene = torch.linspace(0.0, 1.0, 64).repeat(48, 1)
    members = torch.stack([scene, scene, 1.0 - scene, scene])
    depth, _ = merge_members(members)
    assert (depth - scene).abs().max() < 0.01
    assert (align_members(members).scales > 0.0).all()


def test_aligning_can_be_cancelled() -> None:
    with pytest.raises(MarigoldError) as caught:
        gathered(_same_scene(4, noise=0.1)).merge(check=lambda: stop_if(lambda: True))
    assert caught.value.kind == "cancelled"


def _same_scene(count: int, noise: float) -> torch.Tensor:
    """Members that see one smooth scene under scales and shifts of their own, with noise; [E, 48, 64] in [0, 1]."""
    generator = torch.Generator().manual_seed(count)
    y, x = torch.meshgrid(torch.linspace(0, 1, 48), torch.linspace(0, 1, 64), indexing="ij")
    scene = 0.6 * y + 0.4 * torch.sin(6 * x) ** 2
    scales = 0.5 + 0.4 * torch.rand(count, 1, 1, generator=generator)
    shifts = 0.1 * torch.rand(count, 1, 1, generator=generator)
    return (scene * scales + shifts + noise * torch.randn(count, 48, 64, generator=generator)).clamp(0.0, 1.0)
