# SPDX-License-Identifier: GPL-3.0-or-later
"""What the worker can be asked to do: the table from task names to functions. Used by `main`.

A task takes (payload, report, cancelled), returns a small dictionary, and raises `MarigoldError`. Its heavy imports are
inside, so that the worker says hello at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Report = Callable[[str, int, int], None]
Cancelled = Callable[[], bool]
Task = Callable[[dict[str, Any], Report, Cancelled], dict[str, Any]]


def estimate(payload: dict[str, Any], report: Report, cancelled: Cancelled) -> dict[str, Any]:
    from .estimate_job import EstimateRequest, run_estimate

    return run_estimate(EstimateRequest.from_json(payload), report, cancelled).to_json()


def depth_of_field(payload: dict[str, Any], report: Report, cancelled: Cancelled) -> dict[str, Any]:
    from .depth_of_field_job import DepthOfFieldRequest, run_depth_of_field

    return run_depth_of_field(DepthOfFieldRequest.from_json(payload), report, cancelled).to_json()


def doctor(payload: dict[str, Any], report: Report, cancelled: Cancelled) -> dict[str, Any]:
    from .doctor import examine

    return examine()


def train(payload: dict[str, Any], report: Report, cancelled: Cancelled) -> dict[str, Any]:
    report("importing", 0, 1)
    from ...training.blend_request import BlendTraining
    from ...training.blend_training import train_on_blend
    from .warm_estimator import forget_model

    forget_model()  # training needs the memory
    return train_on_blend(BlendTraining.from_json(payload), report, cancelled)


TASKS: dict[str, Task] = {"estimate": estimate, "depth_of_field": depth_of_field, "doctor": doctor, "train": train}
