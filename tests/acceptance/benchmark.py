"""Speed and memory beside stock diffusers, as the command measures them. Steps of part 5."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from marigold_blender.benchmark.command import FULL_SIZE
from tests.acceptance.steps import ROOT

NETWORKS = Path.home() / ".cache/marigold-acceptance"
REPEATS = 3


def benchmark(name: str) -> dict[str, Any]:
    """The figures of one measure; the full-size networks are kept for the next."""
    command = [sys.executable, "-m", "marigold_blender.cli", "benchmark", "--only", name, "--repeats", str(REPEATS)]
    run = subprocess.run(
        [*command, "--folder", str(NETWORKS), "--json"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    found = json.loads(run.stdout)
    return {"about": found["about"], **found[name]}


def full_size_checkpoint() -> Path:
    """The full-size networks with random weights, made if they are not there."""
    from marigold_blender.benchmark.full_size import write_full_size
    from marigold_blender.models.find import find_model

    write_full_size(NETWORKS / FULL_SIZE, find_model("demo"))
    return NETWORKS / FULL_SIZE
