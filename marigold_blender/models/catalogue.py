# SPDX-License-Identifier: GPL-3.0-or-later
"""The models that can be named in settings. Used by panels, the command line and the worker.

Any other folder in diffusers format can be given by its path instead of a name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import MarigoldError

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Model:
    """One entry.

    Attributes:
        name: what settings call it.
        label, description: for people.
        licence: SPDX identifier of the weights.
        folder: where it lies, in diffusers format.
    """

    name: str
    label: str
    description: str
    licence: str
    folder: Path


CATALOGUE: dict[str, Model] = {
    model.name: model
    for model in (
        Model(
            "demo",
            "Demo",
            "A small checkpoint that ships with the extension: coarse depth within seconds, offline",
            "CC0-1.0",
            HERE / "demo",
        ),
    )
}


def find_model(name: str) -> Path:
    """The folder of a model, by its name in the catalogue or by its path.

    Raises:
        MarigoldError: there is neither such a name nor such a model folder (`no_model`).
    """
    if name in CATALOGUE:
        return CATALOGUE[name].folder
    folder = Path(name).expanduser()
    if (folder / "model_index.json").is_file():
        return folder.resolve()
    known = ", ".join(CATALOGUE)
    raise MarigoldError(
        "no_model",
        f"There is no model “{name}”: use {known}, or the path of a folder that holds a model_index.json.",
    )
