"""Fetches from the local hub as a user would, and says what came of it. Used by the tests of downloads."""

from __future__ import annotations

from pathlib import Path

import pytest

from marigold_blender.errors import MarigoldError
from marigold_blender.models.catalogue import CATALOGUE
from marigold_blender.models.find import find_model
from marigold_blender.models.folders import models_folder
from marigold_blender.models.status import ModelStatus, forget_statuses, status
from marigold_blender.worker.server.download import download_model
from marigold_blender.worker.server.patience import Patience
from tests.local_hub import UNET, LocalHub

V1_1, V1_0, LCM, E2E = "marigold-depth-v1-1", "marigold-depth-v1-0", "marigold-depth-lcm-v1-0", "marigold-e2e-ft-depth"
QUICK = Patience(stall_s=0.5, tries=3, wait_s=0.02)


def fetch(name: str = V1_1, patience: Patience = QUICK) -> dict:
    return download_model(name, lambda *_: None, lambda: False, patience)


def refusal(name: str = V1_1, patience: Patience = QUICK) -> MarigoldError:
    with pytest.raises(MarigoldError) as caught:
        fetch(name, patience)
    assert caught.value.message.endswith(".")
    assert "\n" not in caught.value.message
    return caught.value


def now(name: str = V1_1) -> ModelStatus:
    forget_statuses()
    return status(name)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "marigold.json")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def assert_whole(hub: LocalHub, name: str = V1_1) -> None:
    """The model can be used, every file is the published one, and nothing else is there."""
    published = hub.repositories[CATALOGUE[name].hub_id].files
    there = contents(find_model(name))
    assert there == {path: published[path] for path in there}
    assert not list((models_folder() / ".parts").glob("*"))


def half_fetched(hub: LocalHub) -> int:
    """Break a download in the middle of the U-Net; the bytes that are there of it."""
    hub.faults.path, hub.faults.drop_after = UNET, 5_000_000
    refusal(patience=Patience(stall_s=0.5, tries=1))
    hub.faults.path, hub.faults.drop_after = "", 0
    (part,) = (models_folder() / ".parts").glob("*.part")
    assert part.stat().st_size == 5_000_000
    return 5_000_000
