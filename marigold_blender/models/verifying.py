# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks every byte of a model against its published hashes. Called by the worker and the command line: takes seconds.

A model without published hashes (the user's own, or put there by hand) is checked for files that are cut short.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from .catalogue import Model
from .changing import changing
from .digests import has_digest
from .folders import models_folder
from .manifest import Manifest, ModelFile, is_in_place, write_manifest
from .naming import manifest_of, model_folder
from .status import forget_statuses

LARGEST_TABLE = 100_000_000  # as the safetensors library itself allows
Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Verified:
    """What a check found: how many files and bytes were read, and the paths of files that are damaged or missing."""

    files: int
    bytes: int
    damaged: tuple[str, ...]


def verify_model(model: Model, report: Report, check: Callable[[], None]) -> Verified:
    """Read all files of a model and compare; what is damaged is noted, so that the next download mends it.

    Args:
        report: told of the stages `waiting` and `checking` (bytes).
        check: called often; raises to stop.

    Raises:
        MarigoldError: the models folder cannot be written (`cannot_write`), or what `check` raises.
    """
    folder = model_folder(model)
    manifest = manifest_of(model)
    if manifest is None:
        return _whole_files(folder)

    def waiting() -> None:
        report("waiting", 0, 1)
        check()

    with changing(models_folder(), waiting):
        damaged = _damaged(folder, manifest, report, check)
        if damaged != manifest.damaged:
            write_manifest(folder, replace(manifest, damaged=damaged))
    forget_statuses()
    return Verified(len(manifest.files), manifest.bytes, damaged)


def _damaged(folder: Path, manifest: Manifest, report: Report, check: Callable[[], None]) -> tuple[str, ...]:
    done = 0

    def step(count: int) -> None:
        nonlocal done
        check()
        done += count
        report("checking", done, manifest.bytes)

    return tuple(file.path for file in manifest.files if not _is_whole(folder, file, step))


def _is_whole(folder: Path, file: ModelFile, step: Callable[[int], None]) -> bool:
    try:
        return is_in_place(folder, file) and has_digest(folder / file.path, file.digest, step)
    except OSError:
        return False  # it cannot even be read


def _whole_files(folder: Path) -> Verified:
    paths = [path for path in (*folder.glob("*"), *folder.glob("*/*")) if path.suffix in (".json", ".safetensors")]
    damaged = [path.relative_to(folder).as_posix() for path in paths if not _is_uncut(path)]
    return Verified(len(paths), sum(path.stat().st_size for path in paths), tuple(damaged))


def _is_uncut(path: Path) -> bool:
    """Whether a JSON file can be read, and a safetensors file is as long as its table of tensors says."""
    try:
        if path.suffix == ".json":
            json.loads(path.read_bytes())
            return True
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > LARGEST_TABLE:
                return False
            table = json.loads(file.read(length))
        ends = [entry["data_offsets"][1] for name, entry in table.items() if name != "__metadata__"]
        return path.stat().st_size == 8 + length + max(ends, default=0)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error, MemoryError):
        return False
