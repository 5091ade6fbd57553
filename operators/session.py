# SPDX-License-Identifier: GPL-3.0-or-later
"""This Blender's queue and the tasks on their way through it: a timer moves them on while the window stays free.

The timer is persistent, so a job outlives the file it was started from. Panels draw from what stands here.
"""

import time
import traceback
from dataclasses import dataclass

import bpy

from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.worker.client.jobs import JobQueue
from . import state
from .config import idle_seconds, preferences, worker_config
from .task import Phase, Shown, Task

BUSY_S = 0.1
IDLE_S = 1.0
KEPT_FAILURES = 20


@dataclass(frozen=True)
class Failure:
    """A failed task, to be shown until it is dismissed or tried again."""

    task: Task
    error: MarigoldError

    @property
    def title(self) -> str:
        return self.task.title

    @property
    def model(self) -> str:
        """The model that an operator which mends it acts on."""
        return self.task.uses


queue = JobQueue(worker_config, idle_seconds)
tasks: list[Task] = []
failures: list[Failure] = []
renders = False  # whether Blender renders now; set by `render_memory`
frees_before_render = True  # the preference, as of the last tick: a render's thread reads it here


def start(task: Task) -> None:
    """Take a task on; the timer does the rest. An earlier failure of the same is no longer of interest."""
    failures[:] = [failure for failure in failures if failure.title != task.title]
    tasks.append(task)
    keep_ticking()
    state.redraw()


def keep_ticking() -> None:
    """Have the timer run; it ends by itself when there is nothing left to do."""
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=BUSY_S, persistent=True)


def cancel(task: Task) -> None:
    task.cancel(queue)
    if task.phase in (Phase.OVER, Phase.OFFERED):
        drop(task)
    state.redraw()


def drop(task: Task) -> None:
    """Forget a task and delete its files."""
    task.discard()
    tasks.remove(task)


def find(task_id: int) -> Task | None:
    return next((task for task in tasks if task.id == task_id), None)


def shown(task: Task) -> Shown:
    return task.shown(state.past_runs(), time.monotonic())


def shutdown() -> None:
    """End the worker and forget everything: the extension is being disabled."""
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    for task in list(tasks):
        task.cancel(queue)
    queue.shutdown()
    for task in list(tasks):
        drop(task)
    failures.clear()
    state.forget()


def _tick() -> float | None:
    global frees_before_render
    frees_before_render = preferences().free_before_render
    if renders and frees_before_render and queue.holds_idle_memory:
        queue.stop_worker()
    changed = bool(queue.poll())
    held = False  # one step a tick that holds the main thread: ten photos are not read at once
    for task in list(tasks):
        phase = task.phase
        if phase.holds and held:
            continue
        held = held or phase.holds
        _advance(task)
        changed |= task.phase is not phase or task not in tasks
    if changed:
        state.redraw()
    if tasks:
        return BUSY_S
    return IDLE_S if queue.worker_pid else None


def _advance(task: Task) -> None:
    """One step of a task; what fails is shown until it is dismissed."""
    try:
        task.advance(queue)
    except MarigoldError as error:
        _end(task, error)
    except Exception as error:  # noqa: BLE001 - a timer that raises is never called again, and every job would hang
        traceback.print_exc()
        sentence = f"The job stopped on an unexpected fault ({type(error).__name__}: {error}): please report it."
        _end(task, MarigoldError("internal", sentence, details=traceback.format_exc()))
    else:
        if task.phase is Phase.OVER and task in tasks:
            drop(task)


def _end(task: Task, error: MarigoldError) -> None:
    if error.kind != "cancelled":  # cancelled: nothing to tell
        failures.append(Failure(task, error))
        del failures[:-KEPT_FAILURES]
    if task in tasks:
        drop(task)
