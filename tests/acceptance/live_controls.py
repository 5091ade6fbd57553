"""Live controls at a million vertices, in every Blender version that is here. A step of part 6."""

import json
import subprocess
from typing import Any

from tests.acceptance.steps import ROOT

ENVIRONMENTS = (".venv-bpy42", ".venv", ".venv-bpy52")


def live_controls() -> dict[str, Any]:
    """How long the node group takes, and how far it is from the numpy geometry, for each version of bpy."""
    measured = {}
    for environment in ENVIRONMENTS:
        python = ROOT / environment / "bin" / "python"
        if not python.exists():
            continue
        done = subprocess.run(
            [python, ROOT / "tests/bench/live_mesh.py"], capture_output=True, text=True, check=True, cwd=ROOT
        )
        result = json.loads(done.stdout[done.stdout.index('{"') :].splitlines()[0])
        measured[result["blender"]] = result
    return measured
