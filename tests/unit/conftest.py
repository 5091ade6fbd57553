"""What tests of models share: a local hub, and a user who has accepted all licences."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from marigold_blender.models.catalogue import CATALOGUE
from marigold_blender.models.licences import LICENCES, accept_licence
from marigold_blender.models.status import forget_statuses
from marigold_blender.worker.server import permission
from tests.local_hub import LocalHub, Repository, published_models


@pytest.fixture(scope="session")
def repositories() -> dict[str, Repository]:
    return published_models()


@pytest.fixture
def hub(repositories, tmp_path, monkeypatch) -> Iterator[LocalHub]:
    """A hub, a user who has accepted all licences, and a catalogue that knows no hashes: the demo stands in."""
    monkeypatch.setenv("MARIGOLD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    for name, model in list(CATALOGUE.items()):
        monkeypatch.setitem(CATALOGUE, name, dataclasses.replace(model, sha256={}))
    for licence in LICENCES:
        accept_licence(licence)
    permission.give(True)
    with LocalHub(dict(repositories)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub
    permission.give(False)


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """The folder of a user who has nothing yet."""
    monkeypatch.setenv("MARIGOLD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    forget_statuses()
    return tmp_path / "home"
