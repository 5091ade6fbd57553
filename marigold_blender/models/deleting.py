# SPDX-License-Identifier: GPL-3.0-or-later
"""Deletes a model, which gives its space back at once. Called by operators and the command line.

Parts that another model shares stay, because that model holds them too (hard links). A folder of the user's own is only
taken off the list.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from pathlib import Path

from ..errors import MarigoldError
from .catalogue import CATALOGUE
from .changing import changing
from .folders import models_folder
from .local_models import forget_local_model, local_models
from .manifest import Manifest, part_path, read_manifest
from .naming import model_folder, named_model
from .status import forget_statuses

ASIDE = ".deleted-"


def delete_model(name: str) -> int:
    """Delete a model, finished or not; how many bytes that freed.

    Raises:
        MarigoldError: there is no such model (`no_model`), it ships with the extension (`bad_input`), or its files are
            in use or not ours to delete (`cannot_write`).
    """
    model = named_model(name)
    if model.name in local_models():
        forget_local_model(model.name)
        forget_statuses()
        return 0
    if not model.hub_id:
        raise MarigoldError("bad_input", f"{model.label} ships with the extension and stays with it.")
    models = models_folder()
    if not models.is_dir():
        return 0
    with changing(models):
        folder = model_folder(model)
        manifest = read_manifest(folder)
        freed = 0
        if manifest:
            freed += _delete_parts(models, manifest)
        if folder.is_dir():
            freed += _delete_folder(folder)
        remove_leftovers(models)
    forget_statuses()
    return freed


def remove_leftovers(models: Path) -> None:
    """Go on with deletions that were interrupted."""
    for folder in models.glob(f"{ASIDE}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _delete_folder(folder: Path) -> int:
    freed = sum(_own_bytes(path) for path in folder.rglob("*"))
    aside = folder.with_name(f"{ASIDE}{secrets.token_hex(4)}")
    try:
        folder.rename(aside)  # what is half deleted is never taken for a model
        shutil.rmtree(aside)
    except OSError as error:
        raise MarigoldError(
            "cannot_write",
            f"“{folder}” cannot be deleted ({error.strerror or error}): free Marigold's memory first if the model is "
            "loaded, and close other programs that use it.",
            fix="marigold.free_memory",
            details=str(error),
        ) from error
    return freed


def _delete_parts(models: Path, manifest: Manifest) -> int:
    """Delete what was fetched of unfinished files, unless the unfinished download of another model wants them too."""
    wanted: set[str] = set()
    for other in CATALOGUE.values():
        if other.name != manifest.model and (theirs := read_manifest(models / other.name)):
            wanted |= {file.digest for file in theirs.files}
    freed = 0
    for file in manifest.files:
        path = part_path(models, file)
        if file.digest not in wanted and path.exists():
            size = path.stat().st_size
            with contextlib.suppress(OSError):  # goes with the next deletion
                path.unlink()
                freed += size
    return freed


def _own_bytes(path: Path) -> int:
    """Bytes that deleting a file gives back: none while another model holds it too."""
    facts = os.lstat(path)
    return facts.st_size if path.is_file() and facts.st_nlink == 1 else 0
