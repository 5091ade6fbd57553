# SPDX-License-Identifier: GPL-3.0-or-later
"""The first start in three steps: runtime, model, photo. Drawn in the sidebar until a first depth has been made."""

import bpy

from ..marigold_blender.errors import MarigoldError
from ..operators import runtime_plan, session, state
from ..operators.config import online_advice
from ..operators.runtime_task import RuntimeTask
from ..operators.words import size
from .job_list import draw_fix
from .model_choice import draw_model, draw_online_advice
from .paragraph import paragraph


def is_needed(snapshot: state.Snapshot) -> bool:
    """Whether there is no runtime yet, or nothing was ever made on this machine."""
    return not snapshot.python or not state.past_runs()


def draw_runtime_step(layout: bpy.types.UILayout, context: bpy.types.Context, snapshot: state.Snapshot) -> None:
    column = _step(layout, 1, "Runtime", bool(snapshot.python))
    if snapshot.python:
        return
    if any(isinstance(task, RuntimeTask) for task in session.tasks):
        column.label(text="Being installed: see below")
        return
    runtime = snapshot.runtime
    if runtime.state.is_busy or runtime.problem:
        paragraph(column, context, runtime.sentence, "INFO")
    plan = runtime_plan.current()
    if plan is None:
        column.label(text="Looking at this computer…")
    elif isinstance(plan, MarigoldError):
        paragraph(column, context, plan.message, "ERROR")
        if plan.fix != "marigold.install_runtime":
            draw_fix(column, plan.fix)
    else:
        _draw_plan(column, context, plan)
    column.operator("marigold.adopt_runtime", icon="FILE_FOLDER")


def _draw_plan(layout: bpy.types.UILayout, context: bpy.types.Context, plan: dict) -> None:
    needs = f"{size(plan['download_bytes'])} to download, {size(plan['disk_bytes'])} of disk while installing"
    paragraph(layout, context, f"A Python of its own for computing depth: {needs} ({size(plan['free_bytes'])} free).")
    for note in plan["notes"]:
        paragraph(layout, context, note, "INFO")
    if advice := online_advice():
        draw_online_advice(layout, context, advice)
    row = layout.row()
    row.scale_y = 1.5
    row.operator("marigold.install_runtime", icon="IMPORT")


def draw_model_step(layout: bpy.types.UILayout, context: bpy.types.Context, snapshot: state.Snapshot) -> None:
    model = snapshot.model(context.scene.marigold.model)
    column = _step(layout, 2, "Model", model is None or model.state == "present")
    column.enabled = bool(snapshot.python)
    draw_model(column, context, snapshot)
    if model and model.name == "demo":
        paragraph(column, context, "The demo ships along: coarse, and at once. Others are finer, and fetched once.")


def photo_step(layout: bpy.types.UILayout, snapshot: state.Snapshot) -> bpy.types.UILayout:
    """Where the source and the button are drawn."""
    column = _step(layout, 3, "Photo", done=False)
    column.enabled = bool(snapshot.python)
    return column


def _step(layout: bpy.types.UILayout, number: int, title: str, done: bool) -> bpy.types.UILayout:
    box = layout.box()
    box.label(text=f"{number}.  {title}", icon="CHECKMARK" if done else "NONE")
    return box.column()
