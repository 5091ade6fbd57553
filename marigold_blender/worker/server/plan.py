# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds out what a model's folder shall hold: which files, how long, with which hashes. Called by `download`.

The hub says so; without a network its cache on this computer does, if it has the model.
"""

from __future__ import annotations

from ...errors import MarigoldError
from ...models.catalogue import CATALOGUE, Model
from ...models.hub_cache import cached_snapshot
from ...models.manifest import Manifest, ModelFile
from ...models.selection import needed_files, weights_of
from . import permission
from .background import Check
from .hub import Hub, Listing


def plan_download(model: Model, hub: Hub, check: Check) -> Manifest:
    """The manifest of a model that is to be fetched.

    Args:
        check: called while waiting; raises to stop.

    Raises:
        MarigoldError: the repository is not there, not open, or not what the catalogue knows.
        PassingFaultError: the hub cannot be reached.
    """
    listing = _listing(model, hub, check)
    files = [_file(model, listing, path) for path in needed_files(listing.files, model.label, model.borrowed)]
    for part, lender_name in model.borrowed.items():
        if not weights_of(part, listing.files):
            lender = CATALOGUE[lender_name]
            theirs = _listing(lender, hub, check)
            files.append(_file(lender, theirs, weights_of(part, theirs.files)))
    return Manifest(
        model=model.name,
        hub_id=model.hub_id,
        revision=listing.commit,
        licence=model.licence,
        zero_noise=model.zero_noise,
        files=tuple(sorted(files, key=lambda file: file.bytes)),  # what takes long comes last
    )


def _listing(model: Model, hub: Hub, check: Check) -> Listing:
    if not permission.is_given() and (cached := cached_snapshot(model.hub_id, model.revision)):
        return Listing(*cached)
    check()
    return hub.list_files(model.hub_id, model.revision, check)


def _file(model: Model, listing: Listing, path: str) -> ModelFile:
    size, digest = listing.files[path]
    known = model.sha256.get(path)
    if known and digest != f"sha256:{known}":
        raise MarigoldError(
            "network",
            f"The {path} of {model.hub_id} is not the one that this version of the extension knows: use the hub itself "
            "as endpoint, or update the extension.",
            details=f"{digest} instead of sha256:{known}",
        )
    return ModelFile(path, size, digest, model.hub_id, listing.commit)
