# SPDX-License-Identifier: GPL-3.0-or-later
"""Validates the extension and builds its zip with Blender's own tool, as shipped in the bpy wheel.

`make extension` and the tests call it: `build_extension.py FOLDER` prints the path of the zip.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def build(folder: Path) -> Path:
    """The zip, built into `folder`; ends the program with the tool's own words if it finds a fault."""
    blender = Path(importlib.util.find_spec("bpy").origin).parent
    (scripts,) = blender.glob("*/scripts")
    tool = scripts / "addons_core/bl_pkg/cli/blender_ext.py"
    tags = scripts / "modules/_bpy_internal/extensions/tags.py"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.zip"):
        old.unlink()
    _run(tool, "validate", "--valid-tags", tags, ROOT)
    _run(tool, "build", "--source-dir", ROOT, "--output-dir", folder)
    (built,) = folder.glob("*.zip")
    _run(tool, "validate", "--valid-tags", tags, built)
    return built


def _run(tool: Path, *arguments: object) -> None:
    done = subprocess.run([sys.executable, tool, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)


if __name__ == "__main__":
    print(build(Path(sys.argv[1])))
