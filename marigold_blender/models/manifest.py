# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fetched model's folder should hold: `marigold.json` inside it. Written by downloads, read by everything else.

It is written before the first file arrives. A file of the right size that stands in its place is whole: it gets there
by a rename, after its hash has been compared.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from .whole_files import read_object, write_whole

NAME = "marigold.json"  # `estimation.checkpoint_files` reads its `zero_noise`


@dataclass(frozen=True)
class ModelFile:
    """One file of a model.

    Attributes:
        path: inside the model's folder and inside the repository, with slashes.
        digest: `sha256:…`, or `git:…`, the name that git gives to small files' content (SHA-1 with its length).
        hub_id, revision: the repository and commit that it comes from.
    """

    path: str
    bytes: int
    digest: str
    hub_id: str
    revision: str


@dataclass(frozen=True)
class Manifest:
    """A model as it was published.

    Attributes:
        model: its name in the catalogue.
        complete: whether all files have once been there.
        damaged: paths of files that a check found changed; a download replaces them.
    """

    model: str
    hub_id: str
    revision: str
    licence: str
    zero_noise: bool
    files: tuple[ModelFile, ...]
    complete: bool = False
    damaged: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a model's folder; None if it has none that can be read."""
    data = read_object(folder / NAME)
    try:
        files = tuple(ModelFile(**file) for file in data.pop("files"))
        return Manifest(**{**data, "files": files, "damaged": tuple(data["damaged"])})
    except (KeyError, TypeError):
        return None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Raises MarigoldError: the folder cannot be written (`cannot_write`)."""
    data: dict[str, Any] = asdict(manifest)
    write_whole(folder / NAME, (json.dumps(data, indent=1) + "\n").encode())


def note_damage(models: Path, path: Path) -> None:
    """Note that a file of some model in a models folder is not what it was."""
    folder = models / path.relative_to(models).parts[0]
    if manifest := read_manifest(folder):
        name = path.relative_to(folder).as_posix()
        write_manifest(folder, replace(manifest, damaged=(*manifest.damaged, name)))


def is_in_place(folder: Path, file: ModelFile) -> bool:
    """Whether a file stands where it belongs with the size it should have."""
    try:
        return (folder / file.path).stat().st_size == file.bytes
    except OSError:
        return False


def part_path(models: Path, file: ModelFile) -> Path:
    """Where a file grows while it is fetched: named by its content, so that models share what they have in common."""
    return models / ".parts" / f"{file.digest.replace(':', '-')}.part"
