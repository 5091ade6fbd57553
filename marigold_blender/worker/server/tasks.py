# SPDX-License-Identifier: GPL-3.0-or-later
"""What the worker can be asked to do: the table from task names to functions. Used by `main`.

A task takes (payload, report, cancelled), returns a small dictionary, and raises `MarigoldError`. Its heavy imports are
inside, so that the worker says hello at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ...errors import MarigoldError

Report = Callable[[str, int, int], None]
Cancelled = Callable[[], bool]
Task = Callable[[dict[str, Any], Report, Cancelled], dict[str, Any]]


def estimate(payload: dict[str, Any], report: Report, cancelled: Cancelled) -> dict[str, Any]:
    from .estimate_job import EstimateRequest, run_estimate

    return run_estimate(EstimateRequest.from_json(payload), report, cancelled).to_json()


def depth_of_field(payload: dict[str, Any], report: Report, cancelled: Cancelled) -> dict[str, Any]:
    from .depth_of_field_job import DepthOfFieldRequest, run_depth_of_field

    return run_depth_of_field(DepthOfFieldRequest.from_json(payload), report, cancelled).to_json()


def estimate_clip(payload: dict[str, Any], report: Report, cancelled: Cancelled) -> dict[str, Any]:
    from .clip_job import ClipRequest, run_clip

    return run_clip(ClipRequest.from_json(payload), report, cancelled).to_json()


def focus_clip(payload: dict[str, Any], report: Report, cancelled: Cancelled) -> dict[str, Any]:
    from .clip_focus_job import ClipFocusRequest, run_clip_focus

    return run_clip_focus(ClipFocusRequest.from_json(payload), report, cancelled).to_json()


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


def download_model(payload: dict[str, Any], report: Report, cancelled: Cancelled) -> dict[str, Any]:
    from .download import download_model

    return download_model(payload["model"], report, cancelled)


def verify_model(payload: dict[str, Any], report: Report, cancelled: Cancelled) -> dict[str, Any]:
    from ...models.naming import named_model
    from ...models.verifying import verify_model

    return asdict(verify_model(named_model(payload["model"]), report, stop_if(cancelled)))


def move_models(payload: dict[str, Any], report: Report, cancelled: Cancelled) -> dict[str, Any]:
    from ...models.moving import move_models_folder

    return {"folder": str(move_models_folder(payload["folder"], report, stop_if(cancelled)))}


def stop_if(cancelled: Cancelled) -> Callable[[], None]:
    """What raises once a job is cancelled."""

    def check() -> None:
        if cancelled():
            raise MarigoldError("cancelled", "Cancelled.")

    return check


TASKS: dict[str, Task] = {
    "estimate": estimate,
    "depth_of_field": depth_of_field,
    "estimate_depth_of_field": depth_of_field,
    "estimate_clip": estimate_clip,
    "focus_clip": focus_clip,
    "estimate_focus_clip": focus_clip,
    "doctor": doctor,
    "train": train,
    "download_model": download_model,
    "verify_model": verify_model,
    "move_models": move_models,
}
