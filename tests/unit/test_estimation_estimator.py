# SPDX-License-Identifier: GPL-3.0-or-later
"""The estimator with the bundled checkpoint: repeatable, cancellable, honest about progress, calm about memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from skimage import data
from sklearn.datasets import load_sample_image

from marigold_blender.errors import MarigoldError
from marigold_blender.estimation.estimator import Estimator, Prediction
from marigold_blender.settings import EstimateSettings
from tests.unit.checkpoints import DEMO


@pytest.fixture(scope="module")
def demo() -> Estimator:
    return Estimator.load(DEMO)


def quietly(estimator: Estimator, pixels: np.ndarray, settings: EstimateSettings, batch_size: int = 0) -> Prediction:
    return estimator.estimate(pixels, settings, lambda *_: None, lambda: False, batch_size=batch_size)


def test_the_pagoda_stands_before_the_sky(demo: Estimator) -> None:
    prediction = quietly(demo, load_sample_image("china.jpg"), EstimateSettings().resolved(4, 160))
    assert prediction.depth.shape == (427, 640)
    assert prediction.depth.dtype == np.float32
    assert prediction.processing_size == (160, 106)
    pagoda, sky = prediction.depth[150:350, 120:240], prediction.depth[20:100, 400:600]
    assert np.median(pagoda) + 0.3 < np.median(sky)


@pytest.mark.parametrize("ensemble", [1, 5])
def test_the_same_seed_gives_the_same_depth_in_any_batch(demo: Estimator, ensemble: int) -> None:
    pixels = data.coffee()
    settings = EstimateSettings(steps=3, ensemble=ensemble, resolution=128, seed=11)
    first = quietly(demo, pixels, settings, batch_size=1)
    for batch_size in (1, 2, 5):
        again = quietly(demo, pixels, settings, batch_size=batch_size)
        assert np.abs(again.depth - first.depth).max() < 1e-5


def test_another_seed_gives_another_depth(demo: Estimator) -> None:
    pixels = data.coffee()
    settings = [EstimateSettings(steps=2, ensemble=1, resolution=96, seed=seed) for seed in (0, 1)]
    depths = [quietly(demo, pixels, each).depth for each in settings]
    assert np.abs(depths[0] - depths[1]).max() > 0.01


def test_an_ensemble_has_uncertainty_and_spans_the_range(demo: Estimator) -> None:
    prediction = quietly(demo, data.chelsea(), EstimateSettings(steps=1, ensemble=3, resolution=96))
    assert prediction.uncertainty is not None
    assert prediction.uncertainty.shape == prediction.depth.shape
    assert 0.0 <= prediction.depth.min() < 0.05
    assert 0.95 < prediction.depth.max() <= 1.0


def test_progress_counts_every_step_of_every_member(demo: Estimator) -> None:
    seen: list[tuple[str, int, int]] = []
    settings = EstimateSettings(steps=4, ensemble=3, resolution=64)
    demo.estimate(data.coffee(), settings, lambda *event: seen.append(event), lambda: False, batch_size=2)
    stages = list(dict.fromkeys(stage for stage, _, _ in seen))
    assert stages == ["encoding", "denoising", "decoding", "aligning"]
    assert [done for stage, done, _ in seen if stage == "denoising"] == [0, 2, 4, 6, 8, 8, 9, 10, 11, 12]
    assert {total for stage, _, total in seen if stage == "denoising"} == {12}
    for stage in stages:
        assert [event for event in seen if event[0] == stage][-1][1] == [e for e in seen if e[0] == stage][-1][2]


@pytest.mark.parametrize("stage", ["encoding", "denoising", "decoding", "aligning"])
def test_a_cancelled_job_stops_in_its_stage_and_leaves_the_weights_usable(demo: Estimator, stage: str) -> None:
    settings = EstimateSettings(steps=2, ensemble=2, resolution=64)
    reached: list[str] = []
    with pytest.raises(MarigoldError) as caught:
        demo.estimate(data.coffee(), settings, lambda at, *_: reached.append(at), lambda: stage in reached)
    assert caught.value.kind == "cancelled"
    assert reached[-1] == stage
    assert np.isfinite(quietly(demo, data.coffee(), settings).depth).all()


def test_cancelling_takes_effect_within_a_step(demo: Estimator) -> None:
    asked = 0

    def in_the_middle_of_the_first_step() -> bool:
        nonlocal asked
        asked += 1
        return asked == 100

    seen: list[tuple[str, int, int]] = []
    with pytest.raises(MarigoldError):
        demo.estimate(
            data.coffee(),
            EstimateSettings(steps=1, ensemble=1, resolution=64),
            lambda *event: seen.append(event),
            in_the_middle_of_the_first_step,
        )
    assert asked == 100
    assert ("denoising", 1, 1) not in seen


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((40, 60, 3), np.uint8),
        np.full((40, 60, 3), 255, np.uint8),
        np.full((40, 60, 3), 0.5, np.float32),
        np.random.default_rng(0).integers(0, 256, (1, 300, 3), np.uint8),
        np.random.default_rng(0).integers(0, 256, (300, 1, 3), np.uint8),
        np.zeros((1, 1, 3), np.uint8),
    ],
    ids=["black", "white", "grey floats", "one row", "one column", "one pixel"],
)
@pytest.mark.parametrize("ensemble", [1, 3])
def test_pictures_without_content_or_width_give_finite_depth(
    demo: Estimator, pixels: np.ndarray, ensemble: int
) -> None:
    prediction = quietly(demo, pixels, EstimateSettings(steps=1, ensemble=ensemble, resolution=96))
    assert prediction.depth.shape == pixels.shape[:2]
    assert np.isfinite(prediction.depth).all()
    assert 0.0 <= prediction.depth.min() <= prediction.depth.max() <= 1.0


@pytest.fixture
def memory_for_two(demo: Estimator) -> Iterator[list[int]]:
    """An allocator that fails for batches of more than two members; gives the batches that were tried."""
    tried: list[int] = []

    def allocate(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        tried.append(len(inputs[0]))
        if len(inputs[0]) > 2:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory")

    hooks = [
        network.register_forward_pre_hook(allocate)
        for network in (demo.checkpoint.unet.mid_block, demo.checkpoint.vae.post_quant_conv)
    ]
    yield tried
    for hook in hooks:
        hook.remove()


def test_batches_shrink_when_memory_runs_out_and_the_depth_is_the_same(
    demo: Estimator, memory_for_two: list[int]
) -> None:
    settings = EstimateSettings(steps=2, ensemble=5, resolution=64)
    prediction = quietly(demo, data.coffee(), settings, batch_size=5)
    assert memory_for_two[0] == 5
    assert memory_for_two[-1] <= 2
    single = quietly(demo, data.coffee(), settings, batch_size=1)
    assert np.abs(prediction.depth - single.depth).max() < 1e-5


def test_no_memory_for_a_single_member_is_told_in_a_sentence(demo: Estimator) -> None:
    def allocate(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    hook = demo.checkpoint.unet.mid_block.register_forward_pre_hook(allocate)
    with pytest.raises(MarigoldError) as caught:
        quietly(demo, data.coffee(), EstimateSettings(steps=1, ensemble=2, resolution=64))
    hook.remove()
    assert caught.value.kind == "out_of_memory"
    assert "resolution" in caught.value.message
    assert np.isfinite(quietly(demo, data.coffee(), EstimateSettings(steps=1, ensemble=1, resolution=64)).depth).all()


def test_other_failures_are_not_taken_for_missing_memory(demo: Estimator) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("shapes cannot be multiplied")

    hook = demo.checkpoint.unet.mid_block.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="multiplied"):
        quietly(demo, data.coffee(), EstimateSettings(steps=1, ensemble=2, resolution=64))
    hook.remove()


ADDRESS_SPACE_LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
from marigold_blender.errors import MarigoldError
from marigold_blender.estimation.estimator import Estimator
from marigold_blender.settings import EstimateSettings

demo = Estimator.load(Path(sys.argv[1]), "cpu")
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (300 << 20), used + (300 << 20)))
settings = EstimateSettings(steps=1, ensemble=1, resolution=4096)
try:
    demo.estimate(np.zeros((3000, 4000, 3), np.uint8), settings, lambda *_: None, lambda: False)
except MarigoldError as error:
    print(error.kind, error.message)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space of a process")
def test_a_real_allocation_that_fails_is_told_in_a_sentence() -> None:
    run = subprocess.run(
        [sys.executable, "-c", ADDRESS_SPACE_LIMITED, str(DEMO)], capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith("out_of_memory The photo at this processing resolution does not fit into memory")


LARGE_PHOTO = """
import resource, sys
from pathlib import Path
import numpy as np
from marigold_blender.estimation.estimator import Estimator
from marigold_blender.settings import EstimateSettings

pixels = np.zeros((10_000, 10_000, 3), np.uint8)
demo = Estimator.load(Path(sys.argv[1]), "cpu")
depth = demo.estimate(
    pixels, EstimateSettings(steps=1, ensemble=1, resolution=160), lambda *_: None, lambda: False
).depth
print(depth.shape, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak in Linux's unit")
def test_100_megapixels_need_less_than_2_gib() -> None:
    run = subprocess.run([sys.executable, "-c", LARGE_PHOTO, str(DEMO)], capture_output=True, text=True, check=True)
    peak_mib = float(run.stdout.split()[-1])
    assert run.stdout.startswith("(10000, 10000)")
    assert peak_mib < 2048
