"""Steady clips beside independent frames, on rendered camera moves with true depth; kills; 10 000 frames. Part 5."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from marigold_blender.clips.clip import Clip, ClipFrame, clip_frames, open_clip
from marigold_blender.clips.depth_sequence import depth_path, open_depth_sequence
from marigold_blender.depth_files.exr import read_exr, write_exr
from marigold_blender.depth_files.replacing import replacing_one
from marigold_blender.depth_files.spectral import spectral
from marigold_blender.estimation.optical_flow import warped
from marigold_blender.settings import EstimateSettings
from marigold_blender.training.render import RenderPlan, render_data_set
from marigold_blender.worker.server.clip_job import ClipRequest, estimate_frame, run_clip
from tests.acceptance.steps import ROOT, demo_revision

MOVING = Path.home() / ".cache" / "marigold-acceptance" / "moving"
SHORT = ("rooms", "terrain", "corridors", "streets", "tabletops")  # corridors: the demo never saw one
LONG = ("rooms", "corridors")
METHODS = ("steady", "independent", "same_noise")
SETTINGS = EstimateSettings(steps=4, ensemble=1)
MANY = 10_000


def render_moves() -> None:
    """Ten flights of 50 frames, and two of 500; what is there is not rendered again."""
    for name, families, count, seed, frames in (("short", SHORT, 2, 606, 50), ("long", LONG, 1, 607, 500)):
        plan = RenderPlan(MOVING / name, families, count, views=1, size=160, samples=4, seed=seed, moving=frames)
        render_data_set(plan, lambda *_: None)


def beside_independent_frames() -> dict[str, Any]:
    """Errors of both methods on every flight, and the ratios of their means; clips that are done are kept."""
    render_moves()
    clips = [("short", name) for name in _clips("short")] + [("long", name) for name in _clips("long")]
    rows = [_measured(folder, name) for folder, name in clips]
    short, long = ([row for row in rows if row["set"] == kind] for kind in ("short", "long"))
    return {
        "steps": SETTINGS.steps,
        "short": _summary(short),
        "long": _summary(long),
        "over_500_beside_50": {row["clip"]: row["steady"]["temporal"] / row["steady_50"]["temporal"] for row in long},
        "clips": rows,
    }


def _clips(folder: str) -> list[str]:
    return sorted({picture.stem[:-5] for picture in (MOVING / folder / "rgb").iterdir()})


def _results() -> Path:
    """Folder of what this demo checkpoint came to: another one is measured anew."""
    return MOVING / demo_revision()


def _measured(folder: str, name: str) -> dict[str, Any]:
    kept = _results() / f"{folder}_{name}.json"
    if kept.is_file():
        row: dict[str, Any] = json.loads(kept.read_text())
        return row
    row = {"set": folder, "clip": name}
    for method in METHODS:
        if folder == "long" and method == "same_noise":
            continue
        depths, seconds = _depths(folder, name, method)
        row[method] = errors(MOVING / folder, name, depths)
        if seconds is not None:
            row[method]["processor_seconds"] = seconds
        if len(depths) > 50:
            row[f"{method}_50"] = errors(MOVING / folder, name, depths[:50])
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(row))
    return row


def _depths(folder: str, name: str, method: str) -> tuple[list[np.ndarray], float | None]:
    """The frames' depth, and what it took of processor time; None if some frames were there already.

    Independent frames are what stock diffusers gives: each starts from noise of its own. `same_noise`: all start from
    the same, as `marigold estimate --independent` does.
    """
    output = _results() / method / folder
    started, before = time.process_time(), len(list(output.glob(f"{name}_*.exr")))
    pictures = MOVING / folder / "rgb" / f"{name}_####.png"
    if method == "independent":
        depths = [_alone(clip, frame, output) for clip in [open_clip(pictures)] for frame in clip_frames(clip, None)]
    else:
        run_clip(ClipRequest(str(pictures), str(output), SETTINGS, method == "steady"), lambda *_: None, lambda: False)
        sequence = open_depth_sequence(output / f"{name}_depth.json")
        depths = [sequence.read(number) for number in sequence.frames]
    return depths, None if before else time.process_time() - started


def _alone(clip: Clip, frame: ClipFrame, output: Path) -> np.ndarray:
    """The depth of a frame from noise of its own, kept in `output`."""
    path = depth_path(output, clip.name, frame.number)
    if path.is_file():
        return read_exr(path)
    output.mkdir(parents=True, exist_ok=True)
    depth = estimate_frame(clip, frame, replace(SETTINGS, seed=frame.number), lambda: False)[0]
    with replacing_one(path) as beside:
        write_exr(depth, beside)
    return depth


def errors(scenes: Path, name: str, predicted: list[np.ndarray]) -> dict[str, float]:
    """What is wrong with a clip's depth.

    Returns:
        temporal: mean |Δpred - Δtrue| in metres at each pixel, from frame to frame, after one scale and shift for the
            clip. `along`: the same at each point of a surface, followed by the true motion: flicker and pumping alone,
            without the edges that pass. abs_rel: mean over frames, each aligned by itself. still: mean |Δtrue|, the
            temporal error of depth that never changes.
    """
    truth = [np.load(scenes / "depth" / f"{name}_{i:04}.npy").astype(np.float64) for i in range(len(predicted))]
    valid = [np.isfinite(depth) & (depth > 0) for depth in truth]
    scale = _fitted(_joined(predicted, valid), _joined(truth, valid))[0]
    temporal, still, along, count, followed = 0.0, 0.0, 0.0, 0, 0
    for i in range(len(predicted) - 1):
        both = valid[i] & valid[i + 1]
        change = np.where(both, truth[i + 1], 0.0) - np.where(both, truth[i], 0.0)
        temporal += float(np.abs(scale * (predicted[i + 1] - predicted[i]) - change)[both].sum())
        still += float(np.abs(change).sum())
        count += int(both.sum())
        flow, visible, true_change = _true_motion(scenes, name, i, truth)
        moved = warped(torch.from_numpy(predicted[i + 1])[None], flow)[0].numpy()
        along += float(np.abs(scale * (moved - predicted[i]) - true_change)[visible].sum())
        followed += int(visible.sum())
    each = []
    for depth, true, known in zip(predicted, truth, valid, strict=True):
        own_scale, own_shift = _fitted(depth[known], true[known])
        fitted = np.clip(own_scale * depth[known] + own_shift, true[known].min(), true[known].max())
        each.append(float(np.mean(np.abs(fitted - true[known]) / true[known])))
    return {
        "temporal": temporal / count,
        "along": along / max(followed, 1),
        "abs_rel": float(np.mean(each)),
        "still": still / count,
    }


def _joined(frames: list[np.ndarray], valid: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([depth[known] for depth, known in zip(frames, valid, strict=True)])


def _fitted(predicted: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Least squares scale and shift."""
    x, y = predicted.astype(np.float64), truth.astype(np.float64)
    scale = float(((x - x.mean()) * (y - y.mean())).sum() / max(((x - x.mean()) ** 2).sum(), 1e-12))
    return scale, float(y.mean() - scale * x.mean())


def _true_motion(
    scenes: Path, name: str, index: int, truth: list[np.ndarray]
) -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
    """From a frame to the next, by depth and cameras: flow [2, H, W], where it is in view, and the change of depth."""
    here, there = (json.loads((scenes / "meta" / f"{name}_{i:04}.json").read_text()) for i in (index, index + 1))
    depth, known = truth[index], np.isfinite(truth[index])
    height, width = depth.shape
    rows, columns = np.mgrid[0:height, 0:width]
    z = np.where(known, depth, 1.0)
    x = (columns + 0.5 - here["cx"]) / here["focal_px"] * z
    y = -(rows + 0.5 - here["cy"]) / here["focal_px"] * z
    to_next = np.linalg.inv(there["camera_to_world"]) @ np.array(here["camera_to_world"])
    points = (to_next @ np.stack([x, y, -z, np.ones_like(z)]).reshape(4, -1)).reshape(4, height, width)
    ahead = -points[2]
    u = points[0] / ahead * there["focal_px"] + there["cx"] - 0.5
    v = -points[1] / ahead * there["focal_px"] + there["cy"] - 0.5
    flow = torch.from_numpy(np.stack([u - columns, v - rows]).astype(np.float32))
    following = np.where(np.isfinite(truth[index + 1]), truth[index + 1], 1e6).astype(np.float32)
    seen = warped(torch.from_numpy(following)[None], flow)[0].numpy()
    within = (u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1)
    return flow, known & within & (np.abs(seen - ahead) < 0.02 * ahead), ahead - z


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over clips of the ratios steady to independent: clips count alike, whatever their scenes' size."""
    ratios = {
        kind: float(np.mean([row["steady"][kind] / row["independent"][kind] for row in rows]))
        for kind in ("temporal", "along", "abs_rel")
    }
    still = float(np.mean([row["independent"]["still"] / row["independent"]["temporal"] for row in rows]))
    return {"clips": len(rows), "ratios": ratios, "never_changing": still}


def kills() -> dict[str, Any]:
    """A clip whose run is killed again and again comes to the same depth, to the last bit."""
    render_moves()
    clip = str(MOVING / "short" / "rgb" / "rooms_000000_0_####.png")
    command = [sys.executable, "-m", "marigold_blender.cli", "estimate", clip, "--steps", "1", "--output"]
    rng, killed = random.Random(0), 0
    with tempfile.TemporaryDirectory() as scratch:
        whole, stopped = Path(scratch) / "whole", Path(scratch) / "stopped"
        subprocess.run([*command, str(whole)], cwd=ROOT, check=True, capture_output=True)
        while True:
            run = subprocess.Popen(
                [*command, str(stopped)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            before = len(list(stopped.glob("*.exr")))
            until = before + rng.randint(1, 12)
            while run.poll() is None and len(list(stopped.glob("*.exr"))) < until:
                time.sleep(0.02)
            time.sleep(rng.random() * 0.2)
            if run.poll() is not None:
                break
            os.kill(run.pid, signal.SIGKILL)
            run.wait()
            killed += 1
        sequences = [open_depth_sequence(folder) for folder in (whole, stopped)]
        same = [bool((sequences[0].read(n) == sequences[1].read(n)).all()) for n in sequences[0].frames]
        left = [entry.name for entry in stopped.iterdir() if entry.name.startswith(".") or entry.suffix == ".npz"]
    return {"killed": killed, "frames": len(same), "same": all(same), "left_over": left}


TEN_THOUSAND = """
import sys
from tests.acceptance.steady_clips import follow_many
follow_many(sys.argv[1])
"""


def ten_thousand_frames() -> dict[str, Any]:
    """Resident memory after 500 frames and after 10 000, in a process of its own (Linux)."""
    folder = Path.home() / ".cache" / "marigold-acceptance" / "many_frames"
    frames = folder / "frames"
    frames.mkdir(parents=True, exist_ok=True)
    detail = np.random.default_rng(0).random((24, 200, 3)).repeat(4, axis=0).repeat(4, axis=1)
    for number in range(1, MANY + 1):
        path = frames / f"many_{number:05}.png"
        if not path.is_file():
            left = abs(number % 1400 - 700)
            Image.fromarray((detail[:72, left : left + 96] * 255).astype(np.uint8)).save(path, compress_level=1)
    run = subprocess.run(
        [sys.executable, "-c", TEN_THOUSAND, str(folder)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    result: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    shutil.rmtree(folder)
    return result


def follow_many(folder: str) -> None:
    """Estimate the clip in `folder` and print its memory; goes on where it was stopped."""
    memory: dict[int, int] = {}

    def report(_stage: str, done: int, _total: int) -> None:
        if done in (500, MANY):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            memory[done] = pages * resource.getpagesize() // 2**20

    settings = EstimateSettings(steps=1, ensemble=1, resolution=64)
    result = run_clip(ClipRequest(f"{folder}/frames", f"{folder}/depth", settings), report, lambda: False)
    print(json.dumps({"frames": result.last, "mib": memory}))


def draw_slices(name: str, picture: Path) -> None:
    """One row of a long clip over time: as rendered, independent frames, steady. Time runs downwards."""
    numbers = open_depth_sequence(_results() / "steady" / "long" / f"{name}_depth.json").frames
    photos = (np.asarray(Image.open(MOVING / "long" / "rgb" / f"{name}_{i:04}.png").convert("RGB")) for i in numbers)
    parts = [np.stack([photo[photo.shape[0] // 2] for photo in photos])]
    for method in ("independent", "steady"):
        depths = (read_exr(depth_path(_results() / method / "long", name, number)) for number in numbers)
        rows = np.stack([depth[depth.shape[0] // 2] for depth in depths])
        low, high = np.quantile(rows, [0.01, 0.99])
        parts.append(spectral(np.clip((rows - low) / (high - low), 0.0, 1.0)))
    gap = np.full((len(parts[0]), 6, 3), 255, np.uint8)
    Image.fromarray(np.hstack([parts[0], gap, parts[1], gap, parts[2]])).save(picture)
