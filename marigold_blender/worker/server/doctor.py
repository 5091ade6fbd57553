# SPDX-License-Identifier: GPL-3.0-or-later
"""Examines what the worker runs in: Python, libraries, device, models, folders. For `marigold doctor` and the panel."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from typing import Any

from ... import __version__
from ...errors import MarigoldError
from ...models.naming import known_models
from ...models.status import look
from ...paths import default_cache

LIBRARIES = (
    "torch",
    "diffusers",
    "transformers",
    "safetensors",
    "accelerate",
    "huggingface_hub",
    "numpy",
    "pillow",
    "pillow-heif",
    "OpenImageIO",
)


def examine() -> dict[str, Any]:
    """The findings: `ok`, `problems` (one sentence each), and what was looked at."""
    problems: list[str] = []
    versions: dict[str, str | None] = {}
    for library in LIBRARIES:
        try:
            versions[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            versions[library] = None
            problems.append(f"{library} is not installed: install it into {sys.prefix}.")
    device: dict[str, Any] = {}
    try:
        device = _device()
    except (ImportError, MarigoldError) as error:
        problems.append(f"torch cannot be used ({error}): install it again into {sys.prefix}.")
    models = {}
    for model in known_models().values():
        now = look(model)
        if now.state == "damaged":
            problems.append(f"The model “{model.name}” is damaged: mend it with marigold models download {model.name}.")
        if now.state != "present":
            continue
        try:
            models[model.name] = _model(now.folder)
        except (ImportError, MarigoldError) as error:
            problems.append(f"The model “{model.name}” cannot be used: {error}")
    cache = default_cache()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        writable = os.access(cache, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        problems.append(f"The cache folder “{cache}” is not writable: set MARIGOLD_CACHE to another.")
    return {
        "ok": not problems,
        "problems": problems,
        "marigold_blender": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "libraries": versions,
        "device": device,
        "models": models,
        "cache": str(cache),
    }


def _device() -> dict[str, Any]:
    import torch

    from ...estimation.devices import choose_device, describe_policy, device_name, free_memory

    device = choose_device("auto")
    return {
        "device": str(device),
        "name": device_name(device),
        "free_mib": free_memory(device) >> 20,
        "threads": torch.get_num_threads(),
        **describe_policy(device),
    }


def _model(folder: Any) -> dict[str, Any]:
    from ...estimation.checkpoint_files import read_defaults

    defaults = read_defaults(folder)
    return {
        "folder": str(folder),
        "revision": defaults.revision,
        "steps": defaults.steps,
        "resolution": defaults.resolution,
    }
