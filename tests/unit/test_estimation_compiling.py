# SPDX-License-Identifier: GPL-3.0-or-later
"""torch.compile for shapes that come back: where it is wished, from the third job on, never at the cost of a job."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from skimage import data

from marigold_blender.errors import MarigoldError
from marigold_blender.estimation import compiling
from marigold_blender.estimation.compiling import RepeatedShapes
from marigold_blender.estimation.estimator import Estimator
from marigold_blender.settings import EstimateSettings
from tests.unit.checkpoints import DEMO

CPU = torch.device("cpu")
SETTINGS = EstimateSettings(steps=1, ensemble=1, resolution=32)


@pytest.fixture(autouse=True)
def traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wished for; traced as for every compiler, but run without one, which a test machine may not have."""
    monkeypatch.setenv("MARIGOLD_COMPILE", "1")
    monkeypatch.setattr(compiling.torch, "compile", partial(torch.compile, backend="eager"))


def jobs(network: torch.nn.Module, count: int, shape: tuple[int, int] = (4, 4)) -> list[bool]:
    """Whether each of some jobs ran compiled."""
    repeated, compiled = RepeatedShapes(network, CPU), []
    for _ in range(count):
        with repeated.turn(shape) as undivided:
            network(torch.ones(shape))
            compiled.append(bool(undivided))
    return compiled


def test_the_third_job_of_a_shape_is_compiled() -> None:
    network = torch.nn.Linear(4, 4)
    plain = network.forward
    assert jobs(network, 4) == [False, False, True, True]
    assert network.forward == plain


def test_not_unless_wished(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARIGOLD_COMPILE", "0")
    assert not any(jobs(torch.nn.Linear(4, 4), 4))


def test_a_compiler_that_fails_costs_no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(plain: object) -> object:
        def fail(*_: object) -> None:
            raise RuntimeError("no C++ compiler")

        return fail

    monkeypatch.setattr(compiling.torch, "compile", broken)
    assert jobs(torch.nn.Linear(4, 4), 5) == [False, False, True, False, False]


def test_memory_that_runs_out_is_not_taken_for_a_fault_of_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(plain: object) -> object:
        def fail(*_: object) -> None:
            raise torch.OutOfMemoryError("CUDA out of memory.")

        return fail

    monkeypatch.setattr(compiling.torch, "compile", greedy)
    with pytest.raises(torch.OutOfMemoryError):
        jobs(torch.nn.Linear(4, 4), 3)


def test_the_depth_is_the_same_and_a_compiled_job_is_cancelled_before_its_next_step() -> None:
    demo, cancelled = Estimator.load(DEMO, "cpu"), False

    def stop_after_a_step(stage: str, done: int, total: int) -> None:
        nonlocal cancelled
        cancelled = stage == "denoising" and done == 1 and total == 3

    depths = [
        demo.estimate(data.coffee(), SETTINGS, lambda *_: None, lambda: False).depth for _ in range(3)
    ]  # the third is compiled
    assert np.abs(depths[2] - depths[0]).max() < 1e-5
    with pytest.raises(MarigoldError) as caught:
        demo.estimate(
            data.coffee(), EstimateSettings(steps=3, ensemble=1, resolution=32), stop_after_a_step, lambda: cancelled
        )
    assert caught.value.kind == "cancelled"
