# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives the worker's GPU memory back before a render starts, so that the render gets all of it (a preference, on).

A job that runs at that moment is finished first; then the worker ends while the render goes on (`session`).
"""

import bpy
from bpy.app.handlers import persistent

from . import session


@persistent
def _render_starts(*_: object) -> None:
    # Blender may call this on the render's own thread while a timer runs on the main one, so the queue is not touched:
    # its next poll sees that the idle worker is gone.
    if not session.renders:
        session.renders = True
        if session.frees_before_render and session.queue.holds_idle_memory:
            session.queue.kill_worker()


@persistent
def _render_is_over(*_: object) -> None:
    session.renders = False


HANDLERS = {
    "render_init": _render_starts,
    "render_complete": _render_is_over,
    "render_cancel": _render_is_over,
}


def register() -> None:
    for name, handler in HANDLERS.items():
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    for name, handler in HANDLERS.items():
        getattr(bpy.app.handlers, name).remove(handler)
    session.renders = False
