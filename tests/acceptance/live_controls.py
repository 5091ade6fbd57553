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
        command = [python, ROOT / "tests/bench/live_mesh.py"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        # 4.2 as a module may crash when its Python ends: what was measured is printed by then.
        if '{"' not in done.stdout:
            raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
        result = json.loads(done.stdout[done.stdout.index('{"') :].splitlines()[0])
        measured[result["blender"]] = result
    return measured
