# SPDX-License-Identifier: GPL-3.0-or-later
"""How the models stand: on disk, half fetched, damaged. Called by panels, the worker and the command line.

`status` is cheap enough to be drawn from: it looks at sizes, never into files, and only every few seconds.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .catalogue import Model
from .folders import models_folder
from .licences import is_accepted
from .local_models import INDEX
from .manifest import is_in_place, part_path
from .naming import manifest_of, model_folder, named_model

State = Literal["absent", "partial", "present", "damaged"]

CACHED_S = 3.0


@dataclass(frozen=True)
class ModelStatus:
    """How a model stands.

    Attributes:
        state: `absent`; `partial`: a download was begun and can go on; `present`: can be used; `damaged`: files are
            missing or changed, and a download mends it.
        bytes_present, bytes_total: of its files, those of an unfinished file included; the total is about right until
            the hub has been asked.
        licence: a name in `licences.LICENCES`; empty for a model of the user's own.
        accepted: whether the licence was accepted or need not be.
        folder: where it lies or would lie.
    """

    name: str
    label: str
    state: State
    bytes_present: int
    bytes_total: int
    licence: str
    accepted: bool
    folder: Path


_seen: dict[tuple[str | None, ...], tuple[float, ModelStatus]] = {}


def status(name: str) -> ModelStatus:
    """How a model stands, as of at most three seconds ago (`forget_statuses` makes it look again).

    Raises:
        MarigoldError: no model has this name (`no_model`).
    """
    key = (name, os.environ.get("MARIGOLD_HOME"), os.environ.get("MARIGOLD_MODELS"))
    seen = _seen.get(key)
    if seen is None or time.monotonic() - seen[0] > CACHED_S:
        seen = _seen[key] = (time.monotonic(), look(named_model(name)))
    return seen[1]


def forget_statuses() -> None:
    """Look again at the next `status`: something was downloaded, deleted, moved or accepted."""
    _seen.clear()


def look(model: Model) -> ModelStatus:
    """How a model stands at this moment."""
    folder = model_folder(model)
    manifest = manifest_of(model)
    state: State
    if manifest is None:
        # bundled, the user's own, or put there by hand
        state = "present" if (folder / INDEX).is_file() else "absent"
        present = _size_of(folder) if state == "present" else 0
        total = present or model.bytes
    else:
        models = models_folder()
        whole = [file for file in manifest.files if is_in_place(folder, file) and file.path not in manifest.damaged]
        missing = [file for file in manifest.files if file not in whole]
        begun = (min(_bytes_of(part_path(models, file)), file.bytes) for file in missing)
        present, total = sum(file.bytes for file in whole) + sum(begun), manifest.bytes
        state = ("damaged" if missing else "present") if manifest.complete else "partial"
    accepted = not model.licence or is_accepted(model.licence)
    return ModelStatus(model.name, model.label, state, present, total, model.licence, accepted, folder)


def _size_of(folder: Path) -> int:
    return sum(_bytes_of(path) for path in (*folder.glob("*"), *folder.glob("*/*")) if path.is_file())


def _bytes_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
