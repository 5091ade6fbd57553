# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns what settings call a model into the folder to load. Called by the worker, the command line and operators."""

from __future__ import annotations

from pathlib import Path

from ..errors import MarigoldError
from .catalogue import DEFAULT_MODEL, Model
from .local_models import INDEX
from .naming import known_models, named_model
from .status import ModelStatus, look, status


def find_model(name: str) -> Path:
    """The folder of a model that can be used, by its name, its id on the hub, or its path.

    Raises:
        MarigoldError: there is no such name or folder, or the model is not there as a whole (`no_model`).
    """
    folder = Path(name).expanduser()
    if name not in known_models() and (folder / INDEX).is_file():
        return folder.resolve()
    try:
        model = named_model(name)
    except MarigoldError as error:
        raise MarigoldError(
            error.kind, error.message.removesuffix(".") + ", or the path of a folder that holds a model_index.json."
        ) from None
    now = look(model)
    if now.state == "present":
        return now.folder
    raise MarigoldError("no_model", _why_not(model, now), fix="marigold.download_model" if model.hub_id else None)


def preferred_model() -> str:
    """The name of the model to offer first: the default one if it is there, else the one that ships along."""
    return DEFAULT_MODEL if status(DEFAULT_MODEL).state == "present" else "demo"


def _why_not(model: Model, now: ModelStatus) -> str:
    if not model.hub_id:
        return f"The folder of the model “{model.label}”, {now.folder}, is not there any more: register it again."
    how = "in the sidebar, or by `marigold models download " + model.name + "`"
    if now.state == "absent":
        return f"{model.label} is not downloaded ({now.bytes_total / 1e9:.1f} GB): download it {how}."
    if now.state == "partial":
        there = f"{now.bytes_present / 1e9:.1f} of {now.bytes_total / 1e9:.1f} GB"
        return f"The download of {model.label} is not finished ({there}): go on with it {how}."
    return f"Files of {model.label} are missing or damaged: mend it by downloading again, {how}."
