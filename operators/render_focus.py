# SPDX-License-Identifier: GPL-3.0-or-later
"""Focuses renders by the method Best, when a frame has been written. In the background the render waits for it.

With a window the frames wait in a list for the main thread: Blender calls the handler on the render's own thread.
"""

import os
import sys
from collections import deque
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.scene.depth_of_field_render import RenderedFrame, add_savers, saves, set_folder, take_saved
from . import session
from .config import cache_folder
from .focus_task import FocusTask

LOOK_EVERY_S = 0.5

_written: deque[tuple[FocusTask, RenderedFrame]] = deque()


def focus_renders(scene: bpy.types.Scene) -> None:
    """From now on, focus what this scene renders.

    Raises:
        MarigoldError: the scene has no pass, or the cache folder cannot be written.
    """
    add_savers(scene, _folder())
    watch()


def watch() -> None:
    """Take up frames that a render's thread has left, as long as there is a scene that leaves some."""
    if not bpy.app.background and not bpy.app.timers.is_registered(_take_up):
        bpy.app.timers.register(_take_up, first_interval=LOOK_EVERY_S, persistent=True)


def _take_up() -> float | None:
    while _written:
        task, frame = _written.popleft()
        task.rendered = frame
        session.start(task)
    return LOOK_EVERY_S if any(saves(scene) for scene in bpy.data.scenes) else None


@persistent
def _frame_written(scene, *_):
    if not saves(scene):
        return
    try:
        frame = take_saved(scene, _folder())
        task = FocusTask.of(scene)
        if not bpy.app.background:
            _written.append((task, frame))
            return
        task.rendered = frame
        made = task.run_blocking(session.queue, bpy.context)
        print(f"marigold: focused: {made['picture']}", flush=True)
    except (MarigoldError, OSError) as error:
        print(f"marigold: frame {scene.frame_current}: {error}", file=sys.stderr, flush=True)


@persistent
def _file_opened(*_):
    """This machine has its own cache folder."""
    scenes = [scene for scene in bpy.data.scenes if scene.library is None and saves(scene)]
    for scene in scenes:
        set_folder(scene, _folder())
    if scenes:
        watch()


def _folder() -> Path:
    folder = cache_folder() / "renders" / str(os.getpid())
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MarigoldError(
            "cannot_write", f"The cache folder “{folder}” is not writable ({error.strerror}): choose another."
        ) from error
    return folder


def register() -> None:
    bpy.app.handlers.render_write.append(_frame_written)
    bpy.app.handlers.load_post.append(_file_opened)


def unregister() -> None:
    bpy.app.handlers.render_write.remove(_frame_written)
    bpy.app.handlers.load_post.remove(_file_opened)
    if bpy.app.timers.is_registered(_take_up):
        bpy.app.timers.unregister(_take_up)
    _written.clear()
