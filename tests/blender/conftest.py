"""Tests inside Blender (the bpy module), against the built zip installed as a user would install it.

The user folder must be set before bpy is imported, so it is set here and nowhere else.
"""

import os
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
os.environ["BLENDER_USER_RESOURCES"] = tempfile.mkdtemp(prefix="marigold_blender_user_")
os.environ.setdefault("MARIGOLD_PYTHON", str(ROOT / ".venv/bin/python"))
os.environ["MARIGOLD_CACHE"] = tempfile.mkdtemp(prefix="marigold_cache_")

import bpy  # noqa: E402
import pytest  # noqa: E402

MODULE = "bl_ext.user_default.marigold_depth"


@pytest.fixture(scope="session")
def extension_zip(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, ROOT / "tools/build_extension.py", folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Path(done.stdout.strip())


@pytest.fixture(scope="session")
def extension(extension_zip):
    """Imports a module of the installed extension by its path inside it: `extension("marigold_blender.scene.mesh")`."""
    assert bpy.ops.extensions.package_install_files(
        filepath=str(extension_zip), repo="user_default", enable_on_install=True
    ) == {"FINISHED"}
    yield lambda path: import_module(f"{MODULE}.{path}")
    bpy.ops.preferences.addon_disable(module=MODULE)


@pytest.fixture(autouse=True)
def empty_scene(extension):
    """Each test starts from an empty file, with the extension enabled."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)


@pytest.fixture(scope="session")
def china() -> Path:
    """scikit-learn's photo of a pagoda, by the worker's environment: the other environments have no scikit-learn."""
    find = "import sklearn.datasets as d, pathlib; print(pathlib.Path(d.__file__).parent / 'images' / 'china.jpg')"
    done = subprocess.run([os.environ["MARIGOLD_PYTHON"], "-c", find], capture_output=True, text=True, check=True)
    return Path(done.stdout.strip())
