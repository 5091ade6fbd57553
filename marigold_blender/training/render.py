# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold train render`: makes a data set of rendered scenes in several Blender processes.

The same seed gives the same scenes, whatever the number of processes and however often the run was stopped: a scene is
recorded in `scenes/NAME.json` when it is complete, and what is recorded is not made again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ErrorKind, MarigoldError
from .scene_files import FOLDERS, write_whole
from .textures import make_textures

FAMILY_NAMES = ("rooms", "streets", "terrain", "tabletops", "corridors", "shelves", "closeups")
HELD_OUT = "corridors"  # the demo checkpoint never trains on it
REASONS: dict[int, ErrorKind] = {4: "cannot_write", 5: "bad_input"}  # exit codes of make_scenes.py
SCRIPT = Path(__file__).with_name("render_process.py")


@dataclass(frozen=True)
class RenderPlan:
    """What to render.

    Attributes:
        folder: the data set; what is there already is kept.
        families: names from FAMILY_NAMES.
        count: scenes of each family; each gives up to `views` pictures.
        size: longer edge of the pictures in pixels.
        samples: Cycles samples a pixel, before denoising.
        far_m: what lies beyond counts as sky, in metres (80 is Virtual KITTI's protocol).
        first: number of the first scene, to divide a data set among machines.
        moving: frames of the clip that each view becomes; 0: still pictures.
        blend: a file of the user's to render instead of the families: `count` times `views` pictures from free places,
            or, with `animation`, its first `count` frames through its own camera.
        lens_mm: range of focal lengths for cameras in `blend`.
    """

    folder: Path
    families: tuple[str, ...] = tuple(name for name in FAMILY_NAMES if name != HELD_OUT)
    count: int = 100
    views: int = 4
    size: int = 320
    samples: int = 4
    far_m: float = 80.0
    seed: int = 1
    workers: int = 1
    first: int = 0
    moving: int = 0
    blend: Path | None = None
    animation: bool = False
    lens_mm: tuple[float, float] = (18.0, 85.0)


def render_data_set(
    plan: RenderPlan, report: Callable[[int, int], None], blender: Path | None = None, python: Path | None = None
) -> int:
    """Render what is missing of `plan`, then write the checksums.

    Args:
        report: called with (scenes done, scenes planned).
        blender: a Blender to render with.
        python: without one: a Python that has the bpy module; by default this one.

    Returns:
        The number of pictures in the data set.

    Raises:
        MarigoldError: an unknown family, a folder that cannot be written, a renderer that fails again and again.
    """
    unknown = set(plan.families) - set(FAMILY_NAMES)
    if unknown:
        raise MarigoldError(
            "bad_input", f"There is no scene family “{unknown.pop()}”; choose from {', '.join(FAMILY_NAMES)}."
        )
    try:
        for name in FOLDERS:
            (plan.folder / name).mkdir(parents=True, exist_ok=True)
        textures = [] if plan.blend else make_textures(plan.folder / "textures")
        _note_settings(plan)
    except OSError as error:
        raise MarigoldError(
            "cannot_write", f"The data set's folder {plan.folder} cannot be written.", details=str(error)
        ) from error
    if plan.blend and not plan.blend.is_file():
        raise MarigoldError("bad_input", f"There is no file {plan.blend}.")
    sources = (plan.blend.stem,) if plan.blend else plan.families
    scenes = [(source, plan.first + i) for i in range(plan.count) for source in sources]
    shares = [scenes[worker :: plan.workers] for worker in range(plan.workers)]
    plans = []
    for worker, share in enumerate(shares):
        path = plan.folder / f"plan_{worker}.json"
        content = {
            "folder": str(plan.folder.resolve()),
            "samples": plan.samples,
            "far_m": plan.far_m,
            "size": plan.size,
            "views": plan.views,
            "seed": plan.seed,
            "moving": plan.moving,
            "blend": str(plan.blend.resolve()) if plan.blend else None,
            "animation": plan.animation,
            "lens": plan.lens_mm,
            "textures": [str(texture.resolve()) for texture in textures],
            "scenes": share,
        }
        write_whole(path, json.dumps(content).encode())
        plans.append(path)
    _run(plan, plans, scenes, report, renderer(blender, python))
    return write_checksums(plan.folder)


def _run(
    plan: RenderPlan,
    plans: list[Path],
    scenes: list[tuple[str, int]],
    report: Callable[[int, int], None],
    command: list[str],
) -> None:
    """Keep one process a share running until every share is done; a crash is retried while scenes get done."""
    processes = {path: _start(path, command) for path in plans}
    done_at_start = dict.fromkeys(plans, -1)
    try:
        while processes:
            time.sleep(1.0)
            there = set(os.listdir(plan.folder / "scenes"))
            done = sum(f"{source}_{i:06}.json" in there for source, i in scenes)
            report(done, len(scenes))
            for path, process in list(processes.items()):
                code = process.poll()
                if code is None:
                    continue
                if code == 0:
                    del processes[path]
                elif code in REASONS:
                    said = path.with_suffix(".log").read_text(errors="replace")
                    raise MarigoldError(REASONS[code], _why_stopped(said), details=said[-4000:])
                elif code != 3 and done_at_start[path] == done:
                    log = path.with_suffix(".log")
                    raise MarigoldError(
                        "internal",
                        f"Blender stopped while rendering ({code}); its log is {log}.",
                        details=log.read_text(errors="replace")[-4000:],
                    )
                else:
                    done_at_start[path] = done
                    processes[path] = _start(path, command)
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.wait()


def _why_stopped(log: str) -> str:
    """The sentence that the renderer ended with, among whatever else Blender prints."""
    sentences = [json.loads(line)["stopped"] for line in log.splitlines() if line.startswith('{"stopped": ')]
    return sentences[-1] if sentences else "Blender stopped while rendering."


def renderer(blender: Path | None, python: Path | None) -> list[str]:
    """The command that renders the plan file whose path is put after it."""
    if blender:
        return [str(blender), "-b", "--python-exit-code", "1", "--python", str(SCRIPT), "--", str(os.getpid())]
    return [str(python or sys.executable), str(SCRIPT), str(os.getpid())]


def _start(plan_path: Path, command: list[str]) -> subprocess.Popen:
    worker = int(plan_path.stem.rsplit("_", 1)[1])
    with plan_path.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(
            [*command, str(plan_path)], stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
    if hasattr(os, "sched_setaffinity"):  # small pictures render several times faster on one core than spread over many
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(process.pid, {cores[-1 - worker % len(cores)]})
    return process


def _note_settings(plan: RenderPlan) -> None:
    """Write the settings into the folder, or refuse to mix two data sets in one."""
    settings = {"seed": plan.seed, "size": plan.size, "samples": plan.samples, "views": plan.views, "far_m": plan.far_m}
    path = plan.folder / "settings.json"
    if path.exists() and json.loads(path.read_text()) != settings:
        raise MarigoldError(
            "bad_input", f"{plan.folder} holds a data set made with other settings; choose another folder."
        )
    write_whole(path, json.dumps(settings).encode())


def views_of(folder: Path) -> Iterator[dict[str, Any]]:
    """The meta data of every complete picture of a data set, by name."""
    for path in sorted((folder / "meta").glob("*.json")):
        yield json.loads(path.read_text())


def write_checksums(folder: Path) -> int:
    """Gather the pictures' checksums in `SHA256SUMS` (for `sha256sum -c`); returns the number of pictures."""
    lines, count = [], 0
    for meta in views_of(folder):
        lines += [f"{digest}  {path}\n" for path, digest in meta["sha256"].items()]
        count += 1
    write_whole(folder / "SHA256SUMS", "".join(lines).encode())
    return count
