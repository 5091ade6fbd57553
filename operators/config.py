# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the preferences: which Python runs the worker, and where results are kept. Used by `session` and panels.

`MARIGOLD_PYTHON` and `MARIGOLD_CACHE` override the preferences, for farms and tests.
"""

import os
from pathlib import Path

import bpy

from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.paths import user_folder
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


def training_folder() -> Path:
    """Where trainings on the user's files lie: they outlive the extension."""
    return user_folder() / "training"


def worker_python() -> str:
    """The interpreter named by `MARIGOLD_PYTHON` or the preferences; empty if neither does."""
    return os.environ.get("MARIGOLD_PYTHON") or bpy.path.abspath(preferences().worker_python)


def worker_config() -> WorkerConfig:
    """What the next worker is started with.

    Raises:
        MarigoldError: no Python is named, or the named one is not there (`no_runtime`).
    """
    python = worker_python()
    if not python:
        raise MarigoldError(
            "no_runtime",
            "No Python with torch and diffusers is set: name one as Worker Python in the add-on's preferences.",
            fix="preferences.addon_show",
        )
    if not Path(python).is_file():
        raise MarigoldError(
            "no_runtime",
            f"There is no Python at “{python}”: correct Worker Python in the add-on's preferences.",
            fix="preferences.addon_show",
        )
    return WorkerConfig(
        python=Path(python), cache=cache_folder(), online=bpy.app.online_access, environment=_environment()
    )


def _environment() -> tuple[tuple[str, str], ...]:
    chosen = {"MARIGOLD_DEVICE": device(), "MARIGOLD_PRECISION": precision()}
    return tuple((name, value) for name, value in chosen.items() if value)


def device() -> str:
    """What to compute on: `MARIGOLD_DEVICE` or the preference; empty: the worker chooses."""
    return os.environ.get("MARIGOLD_DEVICE") or preferences().device.removeprefix("auto")


def precision() -> str:
    """The number format: `MARIGOLD_PRECISION` or the preference; empty: the worker chooses."""
    return os.environ.get("MARIGOLD_PRECISION") or preferences().precision.removeprefix("auto")


def idle_seconds() -> float:
    return preferences().idle_minutes * 60.0
