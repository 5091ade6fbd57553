# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the preferences: which Python runs the worker, where things are kept. Used by operators and panels.

`MARIGOLD_PYTHON` and `MARIGOLD_CACHE` override the preferences, for farms and tests.
"""

import os
from pathlib import Path

import bpy

from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.paths import user_folder
from ..marigold_blender.runtime.folder import default_folder
from ..marigold_blender.runtime.status import read_status
from ..marigold_blender.worker.client.process import WorkerConfig

ROOT_PACKAGE = __package__.rpartition(".")[0]


def preferences() -> bpy.types.AddonPreferences:
    return bpy.context.preferences.addons[ROOT_PACKAGE].preferences


def cache_folder() -> Path:
    """Where results, jobs and logs lie: `MARIGOLD_CACHE`, the preference, or the extension's own user folder."""
    named = os.environ.get("MARIGOLD_CACHE") or preferences().cache_folder
    if named:
        return Path(bpy.path.abspath(named)).expanduser()
    return Path(bpy.utils.extension_path_user(ROOT_PACKAGE, path="cache", create=True))


def log_path(log: str) -> Path | None:
    """Where a log lies: `WORKER` or `RUNTIME`; None where there is none yet."""
    return cache_folder() / "logs" / "worker.log" if log == "WORKER" else read_status(runtime_folder()).log


def training_folder() -> Path:
    """Where trainings on the user's files lie: they outlive the extension."""
    return user_folder() / "training"


def runtime_folder() -> Path:
    """Where the worker's own Python environment lies: the preference, else one folder for each user."""
    named = preferences().runtime_folder
    return Path(bpy.path.abspath(named)).expanduser() if named else default_folder()


def base_python() -> str:
    """The Python to make the runtime from: the preference; empty: the installer chooses."""
    return bpy.path.abspath(preferences().base_python)


def named_python() -> str:
    """The interpreter named by `MARIGOLD_PYTHON` or the preferences; empty if neither does."""
    return os.environ.get("MARIGOLD_PYTHON") or bpy.path.abspath(preferences().worker_python)


def worker_python() -> str:
    """The interpreter that a worker would run with: a named one, else the installed runtime's; empty: none."""
    return named_python() or str(read_status(runtime_folder()).python or "")


def worker_config() -> WorkerConfig:
    """What the next worker is started with.

    Raises:
        MarigoldError: there is no runtime, or the Python that is named is not there (`no_runtime`).
    """
    python = named_python()
    if python and not Path(python).is_file():
        raise MarigoldError(
            "no_runtime",
            f"There is no Python at “{python}”: correct Worker Python in the add-on's preferences.",
            fix="preferences.addon_show",
        )
    if not python:
        runtime = read_status(runtime_folder())
        if runtime.python is None:
            busy = runtime.state.is_busy
            raise MarigoldError("no_runtime", runtime.sentence, fix=None if busy else "marigold.install_runtime")
        python = str(runtime.python)
    return WorkerConfig(
        python=Path(python), cache=cache_folder(), online=bpy.app.online_access, environment=_environment()
    )


def online_advice() -> str:
    """Where to allow what Blender forbids; empty where it allows online access."""
    if bpy.app.online_access:
        return ""
    if bpy.app.online_access_override:
        return "Blender was started in offline mode: start it without --offline-mode to download."
    return "Blender forbids online access: allow it in Preferences › System › Network."


def _environment() -> tuple[tuple[str, str], ...]:
    compiles = os.environ.get("MARIGOLD_COMPILE") or ("1" if preferences().compile_networks else "")
    chosen = {"MARIGOLD_DEVICE": device(), "MARIGOLD_PRECISION": precision(), "MARIGOLD_COMPILE": compiles}
    return tuple((name, value) for name, value in chosen.items() if value)


def device() -> str:
    """What to compute on: `MARIGOLD_DEVICE` or the preference; empty: the worker chooses."""
    return os.environ.get("MARIGOLD_DEVICE") or preferences().device.removeprefix("auto")


def precision() -> str:
    """The number format: `MARIGOLD_PRECISION` or the preference; empty: the worker chooses."""
    return os.environ.get("MARIGOLD_PRECISION") or preferences().precision.removeprefix("auto")


def idle_seconds() -> float:
    return preferences().idle_minutes * 60.0
