# SPDX-License-Identifier: GPL-3.0-or-later
"""The job list in the sidebar: what runs and waits, with its progress; what failed, with its remedy."""

import bpy

from ..operators import session
from ..operators.config import ROOT_PACKAGE
from ..operators.task import Phase, Task
from ..operators.words import duration
from .paragraph import paragraph

SHOWN_TASKS = 6
SHOWN_FAILURES = 3
NARROW_PX = 210


def draw_jobs(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Everything on its way, and everything that failed."""
    if session.tasks:
        box = layout.box().column()
        for task in session.tasks[:SHOWN_TASKS]:
            draw_task(box, task, is_narrow(context))
        hidden = len(session.tasks) - SHOWN_TASKS
        if hidden > 0:
            box.label(text=f"and {hidden} more")
        if len(session.tasks) > 1:
            box.operator("marigold.cancel_job", text="Cancel All", icon="X").task = 0
    for failure in session.failures[-SHOWN_FAILURES:]:
        draw_failure(layout.box(), context, failure)
    if len(session.failures) > SHOWN_FAILURES:
        row = layout.row(align=True)
        row.label(text=f"{len(session.failures)} have failed", icon="ERROR")
        row.operator("marigold.copy_failure", text="", icon="COPYDOWN").failure = 0
        row.operator("marigold.dismiss_failures", text="", icon="X").failure = 0


def is_narrow(context: bpy.types.Context) -> bool:
    """Whether the sidebar has no room for two words side by side."""
    return context.region.width < NARROW_PX * context.preferences.system.ui_scale


def draw_task(layout: bpy.types.UILayout, task: Task, narrow: bool) -> None:
    column = layout.column(align=True)
    column.label(text=task.title, icon=task.icon)
    row = column.row(align=True)
    if task.phase is Phase.OFFERED:
        row.operator("marigold.apply_result", text=task.offer, icon="IMPORT").task = task.id
    else:
        shown = session.shown(task)
        left = "" if shown.seconds_left is None else duration(shown.seconds_left)
        text = f"{shown.text} · {left} left" if left else shown.text
        row.progress(factor=shown.fraction, text=(left or f"{shown.fraction:.0%}") if narrow else text)
    row.operator("marigold.cancel_job", text="", icon="X").task = task.id


def draw_failure(layout: bpy.types.UILayout, context: bpy.types.Context, failure: session.Failure) -> None:
    column = layout.column()
    row = column.row()
    row.label(text=failure.title, icon="ERROR")
    row.operator("marigold.dismiss_failures", text="", icon="X", emboss=False).failure = failure.task.id
    paragraph(column, context, failure.error.message)
    draw_fix(column, failure.error.fix, failure.model)
    row = column.row(align=True)
    texts = {"text": ""} if is_narrow(context) else {}
    row.operator("marigold.retry_job", icon="FILE_REFRESH", **texts).failure = failure.task.id
    row.operator("marigold.copy_failure", icon="COPYDOWN", **texts).failure = failure.task.id


def draw_fix(layout: bpy.types.UILayout, fix: str | None, model: str = "") -> None:
    """The button that mends a failure, where there is one.

    Args:
        fix: an operator, as `MarigoldError.fix` names it.
        model: what an operator on a model is to act on.
    """
    if fix == "preferences.addon_show":
        layout.operator(fix, text="Open Preferences", icon="PREFERENCES").module = ROOT_PACKAGE
    elif fix in ("marigold.download_model", "marigold.accept_licence"):
        layout.operator("marigold.download_model", icon="IMPORT").model = model
    elif fix:
        layout.operator(fix)
