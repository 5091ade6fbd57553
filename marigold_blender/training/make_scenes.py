# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes one process's share of a data set's scenes, inside Blender or the bpy module; started by `render_process.py`.

It prints one JSON object a scene, and one with `stopped`, a sentence, where it cannot go on. Exit code 0: its share is
done; 3: it stopped early to be started afresh, since Blender's memory grows over hundreds of scenes; 4: a file could
not be written; 5: the .blend cannot be used.
"""

from __future__ import annotations

import json
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MarigoldError
from .blend_views import fly_through, open_blend, shoot_frame
from .scene_files import write_whole
from .scenes.families import FAMILIES
from .scenes.passes import prepare_render
from .scenes.stage import Stage
from .scenes.viewpoints import choose_views, moving_view, place_camera
from .shots import DataSetFolder, picture_size, shoot

SCENES_PER_PROCESS = 250
CANNOT_WRITE, CANNOT_USE = 4, 5


def make_scenes(plan_path: str) -> int:
    """Make the scenes of a plan file that are not there yet; returns the exit code of the process (see above)."""
    plan = json.loads(Path(plan_path).read_text())
    try:
        with tempfile.TemporaryDirectory(prefix="marigold_render_") as scratch:
            to = DataSetFolder(Path(plan["folder"]), Path(scratch), plan["far_m"])
            if plan.get("blend"):
                open_blend(Path(plan["blend"]))
            prepare_render(to.scratch, plan["samples"])
            return _make_missing(plan, to)
    except OSError as error:
        print(json.dumps({"stopped": str(error)}), flush=True)
        return CANNOT_WRITE
    except MarigoldError as error:
        print(json.dumps({"stopped": error.message}), flush=True)
        return CANNOT_USE


def _make_missing(plan: dict[str, Any], to: DataSetFolder) -> int:
    made = 0
    for source, index in plan["scenes"]:
        record = to.root / f"scenes/{source}_{index:06}.json"
        if record.exists():
            continue
        if made == SCENES_PER_PROCESS:
            return 3
        started = time.monotonic()
        if not plan.get("blend"):
            result = _make_scene(plan, to, source, index)
        elif plan["animation"]:
            result = {"views": shoot_frame(to, source, index, plan)}
        else:
            result = {"views": fly_through(to, source, index, plan)}
        result["seconds"] = round(time.monotonic() - started, 2)
        write_whole(record, json.dumps(result).encode())
        print(json.dumps({"scene": record.stem, **result}), flush=True)
        made += 1
    return 0


def _make_scene(plan: dict[str, Any], to: DataSetFolder, family_name: str, index: int) -> dict[str, Any]:
    """Build one scene, shoot its views; a scene that cannot be built is recorded, and the run goes on."""
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
    frames = plan.get("moving", 0)
    for number, view in enumerate(views):
        moments = moving_view(rng, view, frames, width / height, family.nearest_m) if frames else [view]
        for frame, moment in enumerate(moments):
            name = f"{family_name}_{index:06}_{number}" + (f"_{frame:04}" if frames else "")
            about = {"family": family_name, "seed": seed, "view": number, "frame": frame}
            place_camera(moment, width, height)
            if shoot(to, name, about, index * 16 + number, stage.exposure, stage.planes):
                names.append(name)
    return {"views": names}
