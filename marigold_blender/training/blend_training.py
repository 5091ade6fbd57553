# SPDX-License-Identifier: GPL-3.0-or-later
"""Fine-tunes a model on the user's own .blend: the worker's `train` task, asked for by Blender or a script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import MarigoldError
from .blend_request import BlendTraining
from .data_sets import open_data_set
from .finetune import FineTune, fine_tune, read_model_index
from .loop import LoopSettings
from .render import RenderPlan, render_data_set

VIEWS = 4
LEAST_SIZE = 320  # of the rendered pictures: smaller ones cost as much time


def train_on_blend(
    request: BlendTraining, report: Callable[[str, int, int], None], cancelled: Callable[[], bool]
) -> dict[str, Any]:
    """Render, then train.

    Args:
        report: told the stage (`rendering`, `training`), how much of it is done, and its total.
        cancelled: asked between pictures and between views; what was done so far is kept in the folder, and if
            training had begun, `folder/run/checkpoint` is a model trained so far.

    Returns:
        `model`: the checkpoint's folder; `pictures`: how many it was trained on.

    Raises:
        MarigoldError: `cancelled`, or what is wrong with the file, the base or the folder.
    """
    folder, base = Path(request.folder), Path(request.base)
    resolution = request.resolution or read_model_index(base).get("default_processing_resolution") or 768

    def rendering(done: int, total: int) -> None:
        report("rendering", done, total)
        stop_if(cancelled)

    plan = RenderPlan(
        folder / "data",
        count=request.pictures if request.animation else -(-request.pictures // VIEWS),
        views=VIEWS,
        size=max(resolution, LEAST_SIZE),
        samples=16,
        seed=request.seed,
        blend=Path(request.blend),
        animation=request.animation,
    )
    blender, python = (Path(program) if program else None for program in (request.blender, request.python))
    render_data_set(plan, rendering, blender, python)
    samples = open_data_set(folder / "data")
    settings = LoopSettings(
        steps=request.steps,
        learning_rate=request.learning_rate,
        accumulate=request.accumulate,
        warmup=min(100, request.steps // 10),
        log_every=1,
    )
    tune = FineTune(base, folder / "run", resolution=resolution, batch=request.batch, sky="far")
    report("training", 0, request.steps)
    model = fine_tune(
        tune, samples, settings, lambda step, steps, loss: report("training", step, steps), stop=cancelled
    )
    stop_if(cancelled)
    return {"model": str(model), "pictures": len(samples)}


def stop_if(cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise MarigoldError("cancelled", "Training was cancelled; what was done is kept and goes on when asked again.")
