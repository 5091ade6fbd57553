# SPDX-License-Identifier: GPL-3.0-or-later
"""What an installation of the runtime would take on this machine, found out by the installer while a panel is drawn."""

from pathlib import Path
from typing import Any

import bpy

from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.runtime.installer import InstallerJob, start_plan
from . import config, state

POLL_S = 0.1

_asked: tuple[str, str, str, bool] | None = None
_installer: InstallerJob | None = None
_problem: MarigoldError | None = None


def current() -> dict[str, Any] | MarigoldError | None:
    """The plan (`Plan.to_json`), why there can be none, or None while it is being found out. For draw functions."""
    global _asked, _installer
    folder, accelerator = config.runtime_folder(), config.preferences().accelerator
    asked = (str(folder), config.base_python(), accelerator, bpy.app.online_access)
    if asked != _asked:
        forget()
        _asked = asked
        bpy.app.timers.register(_poll, first_interval=0.0, persistent=True)
    if _problem:
        return _problem
    if _installer is None or not _installer.state.is_over:
        return None
    return _installer.error or (_installer.result or {}).get("plan")


def forget() -> None:
    """Find out anew when it is next asked for."""
    global _asked, _installer, _problem
    if bpy.app.timers.is_registered(_poll):
        bpy.app.timers.unregister(_poll)
    if _installer and _installer.is_running:
        _installer.kill()
    _asked = _installer = _problem = None


def _poll() -> float | None:
    global _installer, _problem
    if _installer is None:
        assert _asked is not None
        folder, base_python, accelerator, online = _asked
        try:
            _installer = start_plan(Path(folder), base_python=base_python, accelerator=accelerator, online=online)
        except MarigoldError as error:
            _problem = error
            state.redraw()
            return None
    if not _installer.poll().is_over or _installer.is_running:
        return POLL_S
    state.redraw()
    return None
