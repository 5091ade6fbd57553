# SPDX-License-Identifier: GPL-3.0-or-later
"""Models of the user's own: folders in diffusers format, registered so that they appear among the others.

They stay where they are: only their names and paths stand in the models folder. `marigold train finetune` registers
what it makes; `marigold models add` registers any other.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from ..errors import MarigoldError
from .catalogue import CATALOGUE, Model
from .folders import models_folder
from .whole_files import read_object, write_whole

INDEX = "model_index.json"
PIPELINES = ("MarigoldDepthPipeline", "MarigoldPipeline")


def local_models() -> dict[str, Model]:
    """The registered models by name, whether or not their folders are still there."""
    entries = read_object(_registry())
    return {
        name: Model(
            name, entry["label"], f"A model of your own, in {entry['folder']}", "", folder=Path(entry["folder"])
        )
        for name, entry in entries.items()
        if isinstance(entry, dict) and {"label", "folder"} <= entry.keys()
    }


def register_local_model(folder: Path, label: str = "") -> Model:
    """Let a folder in diffusers format appear among the models; the same folder again only changes its label.

    Args:
        label: for people; default: the name of the folder (of a training run's `checkpoint`: of the run).

    Raises:
        MarigoldError: it is no Marigold model for depth (`bad_input`), or the note cannot be written (`cannot_write`).
    """
    folder = folder.expanduser().absolute()
    index = read_object(folder / INDEX)
    if index.get("_class_name") not in PIPELINES:
        raise MarigoldError(
            "bad_input",
            f"“{folder}” is no Marigold model for depth: choose a folder whose {INDEX} names a MarigoldDepthPipeline.",
        )
    registered = local_models()
    label = label or (folder.parent.name if folder.name == "checkpoint" else folder.name)
    known = next((name for name, model in registered.items() if model.folder == folder), None)
    name = known or _free_name(label, {*CATALOGUE, *registered})
    _write({**registered, name: Model(name, label, "", "", folder=folder)})
    return local_models()[name]


def forget_local_model(name: str) -> None:
    """Take a registered model off the list; its folder stays.

    Raises:
        MarigoldError: the note cannot be written (`cannot_write`).
    """
    registered = local_models()
    registered.pop(name, None)
    _write(registered)


def _free_name(label: str, taken: set[str]) -> str:
    stem = re.sub(r"[^a-z0-9._-]+", "-", label.lower()).strip("-.") or "model"
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    return name


def _write(models: dict[str, Model]) -> None:
    entries = {name: {"label": model.label, "folder": str(model.folder)} for name, model in models.items()}
    write_whole(_registry(), json.dumps(entries, indent=1, ensure_ascii=False).encode())


def _registry() -> Path:
    return models_folder() / "local_models.json"
