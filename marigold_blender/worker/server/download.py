# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings a model of the catalogue onto this computer, and mends one that is damaged. Called by the worker and by
`marigold models download`.

Every file is taken from where it costs least: its place, another model, the hub's own cache, the network.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import MarigoldError
from ...models.catalogue import Model
from ...models.changing import changing
from ...models.deleting import remove_leftovers
from ...models.digests import has_digest
from ...models.folders import models_folder
from ...models.hub_cache import cached_copies
from ...models.licences import require_accepted
from ...models.manifest import Manifest, ModelFile, is_in_place, note_damage, part_path, read_manifest, write_manifest
from ...models.moving import finish_move
from ...models.naming import model_folder, named_model
from ...models.network import read_network
from ...models.sharing import copies_in, put_by_link_or_copy, remove_temporary
from ...models.status import forget_statuses
from ...models.whole_files import cannot_write, put_in_place
from . import permission
from .hub import Hub
from .patience import PassingFaultError, Patience
from .plan import plan_download
from .transfer import fetch_file, gave_up

SPARE_BYTES = 100_000_000  # what a disk should keep free

Report = Callable[[str, int, int], None]


def download_model(
    name: str, report: Report, cancelled: Callable[[], bool], patience: Patience | None = None
) -> dict[str, Any]:
    """Have a model on disk, whole.

    Args:
        name: of the catalogue, or an id on the hub.
        report: told of the stages `waiting`, `asking`, `checking` and `downloading`, the last two in bytes.

    Returns:
        `model`, `folder`, `revision`, `bytes`, and how many of them came over the network: `fetched_bytes`.

    Raises:
        MarigoldError: `cancelled`, which keeps what was fetched; or what is wrong.
    """
    model = named_model(name)
    if not model.hub_id:
        raise MarigoldError("bad_input", f"{model.label} is on this computer already: it needs no download.")
    require_accepted(model.licence, model.label)

    def check() -> None:
        if cancelled():
            raise MarigoldError("cancelled", "The download was cancelled; what was fetched is kept.")

    def waiting() -> None:
        report("waiting", 0, 1)
        check()

    models = models_folder()
    with changing(models, waiting):
        remove_leftovers(models)
        finish_move()
        job = _Job(model, models, report, check, patience or Patience())
        try:
            result = job.run()
        except OSError as error:
            raise cannot_write(models, error) from error
        finally:
            forget_statuses()
    return result


@dataclass
class _Job:
    """One download on its way."""

    model: Model
    models: Path
    report: Report
    check: Callable[[], None]
    patience: Patience
    fetched: int = 0

    def run(self) -> dict[str, Any]:
        folder = model_folder(self.model)
        remove_temporary(folder)
        hub = Hub(read_network(), self.patience)
        manifest = self._manifest(folder, hub)
        missing = [file for file in manifest.files if not self._is_there(file, folder, manifest)]
        missing = [file for file in missing if not self._taken_from_here(file, folder)]
        self._check_room(missing)
        done = manifest.bytes - sum(file.bytes for file in missing)
        for file in missing:
            self._fetch(hub, file, folder, done, manifest.bytes)
            done += file.bytes
        write_manifest(folder, replace(manifest, complete=True, damaged=()))
        self.report("downloading", manifest.bytes, manifest.bytes)
        return {
            "model": self.model.name,
            "folder": str(folder),
            "revision": manifest.revision,
            "bytes": manifest.bytes,
            "fetched_bytes": self.fetched,
        }

    def _manifest(self, folder: Path, hub: Hub) -> Manifest:
        """What is to be there: as noted when this was begun, else asked for."""
        manifest = read_manifest(folder)
        if manifest and (manifest.complete or manifest.revision == self.model.revision or not self.model.revision):
            return manifest
        self.report("asking", 0, 1)
        try:
            manifest = plan_download(self.model, hub, self._check_online)
        except PassingFaultError as fault:
            raise gave_up(hub, fault) from fault
        by_hand = [file for file in manifest.files if is_in_place(folder, file)]
        wrong = tuple(file.path for file in by_hand if not self._is_whole(folder / file.path, file))
        manifest = replace(manifest, damaged=wrong)
        write_manifest(folder, manifest)
        return manifest

    def _is_there(self, file: ModelFile, folder: Path, manifest: Manifest) -> bool:
        if file.path in manifest.damaged:  # unless it was replaced just before a kill
            return is_in_place(folder, file) and self._is_whole(folder / file.path, file)
        return is_in_place(folder, file)

    def _taken_from_here(self, file: ModelFile, folder: Path) -> bool:
        """Whether the file could be had without the network."""
        shared = copies_in(self.models, file)
        for source in (*shared, *cached_copies(file)):
            if self._is_whole(source, file):
                return put_by_link_or_copy(source, folder / file.path, file.digest, lambda count: self.check())
            if source in shared:
                note_damage(self.models, source)
        return False

    def _is_whole(self, path: Path, file: ModelFile) -> bool:
        done = 0

        def step(count: int) -> None:
            nonlocal done
            self.check()
            done += count
            self.report("checking", done, file.bytes)

        try:
            return has_digest(path, file.digest, step)
        except OSError:
            return False  # it cannot be read: then it is fetched

    def _fetch(self, hub: Hub, file: ModelFile, folder: Path, done: int, total: int) -> None:
        part = part_path(self.models, file)
        held = part.stat().st_size if part.exists() else 0

        def arrived(count: int) -> None:
            nonlocal held
            self.fetched += max(count - held, 0)
            held = count
            self.report("downloading", done + count, total)

        def is_whole(path: Path) -> bool:
            return self._is_whole(path, file)

        fetch_file(hub, file, part, arrived, is_whole, self._check_online, self.patience)
        place = folder / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        put_in_place(part, place)

    def _check_online(self) -> None:
        self.check()
        permission.check()

    def _check_room(self, missing: list[ModelFile]) -> None:
        needed = sum(file.bytes for file in missing)
        for file in missing:
            part = part_path(self.models, file)
            needed -= part.stat().st_size if part.exists() else 0
        free = shutil.disk_usage(self.models).free
        if missing and needed + SPARE_BYTES > free:
            raise MarigoldError(
                "cannot_write",
                f"{self.model.label} needs {(needed + SPARE_BYTES) / 1e9:.1f} GB and “{self.models}” has "
                f"{free / 1e9:.1f} GB free: make room there, or move the models folder to another disk.",
            )
