# SPDX-License-Identifier: GPL-3.0-or-later
"""Training is two programs that meet on disk: one runs inside Blender without torch, one with torch without bpy."""

import ast
from pathlib import Path

import pytest

from marigold_blender import training

FOLDER = Path(training.__file__).parent
IN_BLENDER = {"render_process.py", "make_scenes.py", "blend_views.py", "shots.py", "exposure.py", "scene_files.py"}
NO_TORCH = {
    "__main__.py",
    "blend_request.py",
    "command.py",
    "demo_command.py",
    "demo_plan.py",
    "evaluate_command.py",
    "render.py",
    "textures.py",
}  # start at once
BLENDER_MODULES = {"bpy", "bpy_extras", "mathutils"}
HEAVY = {"torch", "diffusers", "transformers", "accelerate", "tokenizers"}
FILES = sorted(FOLDER.rglob("*.py"))


def runs_in_blender(path: Path) -> bool:
    return path.parent.name == "scenes" or path.name in IN_BLENDER


def imports(path: Path) -> tuple[set[str], set[str]]:
    """Third-party packages, and files of training, that a file imports when it is imported itself."""
    packages, files = set(), set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            packages |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            packages.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            base = path.parent.parents[node.level - 2] if node.level > 1 else path.parent
            if node.module:
                files.add(base.joinpath(*node.module.split(".")).with_suffix(".py"))
            else:
                files |= {base / f"{alias.name}.py" for alias in node.names}
    return packages, {file for file in files if FOLDER in file.parents}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_blender_and_torch_stay_apart(path):
    packages, files = imports(path)
    if runs_in_blender(path):
        assert not packages & (HEAVY | {"PIL", "skimage", "sklearn", "scipy"})
        assert all(runs_in_blender(file) for file in files)
    else:
        assert not packages & BLENDER_MODULES
        assert not any(runs_in_blender(file) and imports(file)[0] & BLENDER_MODULES for file in files)


@pytest.mark.parametrize("name", sorted(NO_TORCH))
def test_what_starts_at_once_does_not_wait_for_torch(name):
    packages, files = imports(FOLDER / name)
    assert not packages & HEAVY
    assert all(not imports(file)[0] & HEAVY for file in files)
