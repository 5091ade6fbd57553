# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes one process's share of a data set's scenes, inside Blender or the bpy module; started by `render_process.py`.

It prints one JSON object a scene. Exit code 0: its share is done; 3: it stopped early to be started afresh, since
Blender's memory grows over hundreds of scenes.
"""

from __future__ import annotations

import json
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from .exposure import develop
from .scene_files import write_view, write_whole
from .scenes.families import FAMILIES
from .scenes.passes import prepare_render, render_passes
from .scenes.stage import Stage
from .scenes.viewpoints import SENSOR_MM, View, choose_views, place_camera

SCENES_PER_PROCESS = 250
SHAPES = (((4, 3), 0.5), ((3, 4), 0.2), ((1, 1), 0.15), ((16, 10), 0.15))  # aspect and share


def make_scenes(plan_path: str) -> int:
    """Make the scenes of a plan file that are not there yet; returns the exit code of the process (see above)."""
    plan = json.loads(Path(plan_path).read_text())
    root = Path(plan["folder"])
    made = 0
    with tempfile.TemporaryDirectory(prefix="marigold_render_") as scratch:
        prepare_render(Path(scratch), plan["samples"])
        for family_name, index in plan["scenes"]:
            record = root / f"scenes/{family_name}_{index:06}.json"
            if record.exists():
                continue
            if made == SCENES_PER_PROCESS:
                return 3
            result = _make_scene(root, Path(scratch), plan, family_name, index)
            write_whole(record, json.dumps(result).encode())
            print(json.dumps({"scene": record.stem, **result}), flush=True)
            made += 1
    return 0


def _make_scene(root: Path, scratch: Path, plan: dict[str, Any], family_name: str, index: int) -> dict[str, Any]:
    """Build one scene, shoot its views; a scene that cannot be built is recorded, and the run goes on."""
    started = time.monotonic()
    family = FAMILIES[family_name]
    seed = [plan["seed"], family.number, index]
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    try:
        stage = Stage(rng, plan["textures"])
        width, height = picture_size(rng, plan["size"])
        views = choose_views(rng, family.build(stage), plan["views"], width / height, family.nearest_m)
    except (ValueError, IndexError, ZeroDivisionError, RuntimeError):
        return {"views": [], "failed": traceback.format_exc()}
    names = []
    for number, view in enumerate(views):
        name = f"{family_name}_{index:06}_{number}"
        about = {"family": family_name, "seed": seed, "view": number}
        _shoot(root, scratch, name, stage, view, (width, height), about, plan["far_m"])
        names.append(name)
    return {"views": names, "seconds": round(time.monotonic() - started, 2)}


def _shoot(
    root: Path,
    scratch: Path,
    name: str,
    stage: Stage,
    view: View,
    size: tuple[int, int],
    about: dict[str, Any],
    far_m: float,
) -> None:
    """Render one view and write its files; what lies beyond `far_m` counts as sky."""
    width, height = size
    camera = place_camera(view, width, height)
    passes = render_passes(scratch, about["seed"][2] * 16 + about["view"])
    depth = np.where(passes.depth > far_m, np.inf, passes.depth)
    to_camera = np.array(camera.matrix_world.inverted())
    planes = []
    for plane in stage.planes:
        normal = to_camera[:3, :3] @ plane.normal
        point = (to_camera @ (*plane.point, 1.0))[:3]
        planes.append({"name": plane.name, "normal": normal.tolist(), "offset": float(normal @ point)})
    meta = {
        **about,
        "width": width,
        "height": height,
        "focal_px": view.lens_mm / SENSOR_MM * max(width, height),
        "cx": width / 2,
        "cy": height / 2,
        "f_stop": view.f_stop,
        "camera_to_world": np.array(camera.matrix_world).tolist(),
        "planes": planes,  # camera space (X right, Y up, Z back): normal . point = offset
        "far_m": far_m,
        "sky": float(np.mean(~np.isfinite(depth))),
    }
    rgb = develop(passes.linear, stage.exposure)
    write_view(root, name, rgb, depth, passes.normals, meta)


def picture_size(rng: np.random.Generator, long_side: int) -> tuple[int, int]:
    """Width and height of a scene's pictures: several aspects, multiples of 16."""
    (across, down), _ = SHAPES[rng.choice(len(SHAPES), p=[share for _, share in SHAPES])]
    scale = long_side / max(across, down) * (0.9 if across == down else 1.0)
    return round(across * scale / 16) * 16, round(down * scale / 16) * 16
