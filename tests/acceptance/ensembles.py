"""Aligning and merging real ensembles: how long, and how well, beside diffusers' own solver. A step of part 5."""

import resource
import time
from typing import Any

import numpy as np
import scipy.optimize
import torch
from diffusers import MarigoldDepthPipeline
from skimage import data
from sklearn.datasets import load_sample_image

from marigold_blender.estimation.ensembling import Ensemble
from marigold_blender.estimation.estimator import Estimator
from marigold_blender.estimation.noise import member_noise
from marigold_blender.settings import EstimateSettings
from tests.unit.checkpoints import DEMO

PHOTOS = {
    "china": lambda: load_sample_image("china.jpg"),
    "flower": lambda: load_sample_image("flower.jpg"),
    "coffee": data.coffee,
    "astronaut": data.astronaut,
    "cat": data.chelsea,
}
OFFICIAL = {"max_iter": 50, "tol": 1e-6}


def merge_times() -> dict[str, Any]:
    """Ten members of 768 x 576: our seconds, stock diffusers' with its default solver, and their ratio."""
    members = _members("coffee", 10, 768, 576)
    ours, theirs = [], []
    for _ in range(3):
        theirs.append(_processor_seconds(lambda: MarigoldDepthPipeline.ensemble_depth(members[:, None], True, True)))
        ours.append(_processor_seconds(lambda: _ensemble(members).merge()))
    return {"seconds": min(ours), "stock_seconds": min(theirs), "ratio": min(ours) / min(theirs)}


def objectives() -> dict[str, Any]:
    """The official cost of our alignment as a share of the official solver's (50 iterations, 1e-6), per ensemble."""
    ratios = {}
    for photo in PHOTOS:
        for count in (3, 5, 10):
            members = _members(photo, count, 192, 144)
            ours = _ensemble(members).align()
            ratios[f"{photo} {count}"] = _cost(members, ours.scales, ours.shifts) / _cost(members, *_official(members))
    return {"highest_ratio": max(ratios.values()), "ratios": ratios}


def _members(photo: str, count: int, width: int, height: int) -> torch.Tensor:
    """Single predictions of the demo checkpoint, [E, H, W]."""
    demo = Estimator.load(DEMO, "cpu")
    pixels = PHOTOS[photo]()
    members = []
    for member in range(count):
        prediction = demo.estimate(
            pixels,
            EstimateSettings(steps=2, ensemble=1, resolution=160),
            lambda *_: None,
            lambda: False,
            streams=[member_noise(0, member)],
        )
        depth = torch.from_numpy(prediction.depth)[None, None]
        members.append(torch.nn.functional.interpolate(depth, (height, width), mode="bilinear")[0, 0])
    return torch.stack(members)


def _ensemble(members: torch.Tensor) -> Ensemble:
    ensemble = Ensemble()
    ensemble.add(members)
    return ensemble


def _processor_seconds(work: Any) -> float:
    """Wall time, or processor time when that is less: on a busy machine waiting for a core does not count."""

    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime

    started, before = time.perf_counter(), used()
    work()
    return min(time.perf_counter() - started, used() - before)


def _cost(members: torch.Tensor, scales: np.ndarray, shifts: np.ndarray) -> float:
    """The official code's cost, pixel by pixel (marigold/util/ensemble.py, `cost_fn`)."""
    aligned = members.double() * torch.from_numpy(scales)[:, None, None] + torch.from_numpy(shifts)[:, None, None]
    pairs = ((aligned[i] - aligned[j]).square().mean().sqrt().item() for i in range(len(aligned)) for j in range(i))
    median = aligned.median(dim=0).values
    return sum(pairs) + 0.02 * (abs(median.min().item()) + abs(1.0 - median.max().item()))


def _official(members: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """What diffusers' own solver finds with the official settings."""
    found = []
    solver = scipy.optimize.minimize

    def watched(*arguments: Any, **options: Any) -> Any:
        found.append(solver(*arguments, **options))
        return found[-1]

    scipy.optimize.minimize = watched
    try:
        MarigoldDepthPipeline.ensemble_depth(members[:, None], True, True, output_uncertainty=True, **OFFICIAL)
    finally:
        scipy.optimize.minimize = solver
    scales, shifts = np.split(found[0].x, 2)
    return scales, shifts
