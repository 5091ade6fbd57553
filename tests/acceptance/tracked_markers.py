"""Depth calibrated from tracked markers of clips rendered from known scenes, solved by Blender. A step of part 6."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path.home() / ".cache/marigold-acceptance/tracked_markers"
COUNT = 8


def tracked_markers() -> dict[str, Any]:
    """Error of metric depth from 20 markers, 6 of which are wrong; median over each picture."""
    program = [sys.executable, "-m", "tests.acceptance.tracked_marker_scenes", str(FOLDER), str(COUNT)]
    subprocess.run(program, check=True, stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[2])
    scenes = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
    solved = {name: scene for name, scene in scenes.items() if "problem" not in scene}
    errors = [scene["median_error"] for scene in solved.values()]
    return {
        "clips": len(solved),
        "not_solved": {name: scene["problem"] for name, scene in scenes.items() if "problem" in scene},
        "median_error": float(np.median(errors)),
        "highest_error": max(errors),
        "markers_own_error": {name: scene["markers_own_error"] for name, scene in solved.items()},
        "solve_error_px": float(np.median([scene["solve_error_px"] for scene in solved.values()])),
        "inliers": [scene["inliers"] for scene in solved.values()],
        "errors": {name: scene["median_error"] for name, scene in solved.items()},
    }
