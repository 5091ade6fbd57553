"""Tests in a real Blender window."""

import pytest

from tests.gui.blender_window import BlenderWindow, install


@pytest.fixture(scope="session")
def blender(tmp_path_factory) -> BlenderWindow:
    """A Blender whose worker runs in the tests' own environment."""
    return install(BlenderWindow(tmp_path_factory.mktemp("window")))


@pytest.fixture
def fresh_blender(tmp_path_factory) -> BlenderWindow:
    """A Blender whose user has just installed the extension: no runtime, no model, no result."""
    return install(BlenderWindow(tmp_path_factory.mktemp("fresh"), has_runtime=False))
