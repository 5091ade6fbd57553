"""Meshes from true metric depth against the true surfaces, on rendered scenes with many lenses. A step of part 6."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path.home() / ".cache/marigold-acceptance/true_surfaces"
COUNT = 6  # of each of the seven families
SIZE = 640


def true_surfaces() -> dict[str, Any]:
    """Median relative distance of the mesh from the scene's surfaces, along the camera's rays."""
    program = [sys.executable, "-m", "tests.acceptance.true_surface_scenes", str(FOLDER), str(COUNT), str(SIZE)]
    subprocess.run(program, check=True, stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[2])
    scenes = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
    scenes = {name: scene for name, scene in scenes.items() if scene}
    medians = {kind: [scene[kind]["median"] for scene in scenes.values()] for kind in ("vertices", "faces")}
    lenses = sorted(scene["lens_35mm"] for scene in scenes.values())
    return {
        "scenes": len(scenes),
        "lenses_mm": [lenses[0], lenses[len(lenses) // 2], lenses[-1]],
        "median_of_vertices": float(np.median(medians["vertices"])),
        "median_of_faces": float(np.median(medians["faces"])),
        "worst_scene_of_vertices": max(medians["vertices"]),
        "worst_scene_of_faces": max(medians["faces"]),
        "scenes_within_1e-4": int(np.sum(np.array(medians["vertices"]) <= 1e-4)),
        "on_another_surface": float(np.mean([scene["vertices"]["on_another_surface"] for scene in scenes.values()])),
    }
