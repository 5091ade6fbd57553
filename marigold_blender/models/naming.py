# SPDX-License-Identifier: GPL-3.0-or-later
"""Which models can be named, and where each lies. Used by every file of this part that takes a name."""

from __future__ import annotations

from pathlib import Path

from ..errors import MarigoldError
from .catalogue import CATALOGUE, Model
from .folders import models_folder
from .local_models import local_models
from .manifest import Manifest, read_manifest


def known_models() -> dict[str, Model]:
    """The catalogue, then the user's own models, by name."""
    return CATALOGUE | local_models()


def named_model(name: str) -> Model:
    """A model by its name or its id on the hub.

    Raises:
        MarigoldError: there is none (`no_model`).
    """
    models = known_models()
    found = models.get(name) or next((model for model in models.values() if name and model.hub_id == name), None)
    if found is None:
        raise MarigoldError("no_model", f"There is no model “{name}”: use one of {', '.join(models)}.")
    return found


def model_folder(model: Model) -> Path:
    """Where a model lies, or would lie once it is fetched."""
    return model.folder or models_folder() / model.name


def manifest_of(model: Model) -> Manifest | None:
    """What a fetched model's folder should hold; None for a model that was not fetched."""
    return read_manifest(model_folder(model)) if model.hub_id else None
