"""Depth by tiles: a picture of 100 megapixels in bounded memory, beside the single pass on scenes. Steps of part 5."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from marigold_blender.depth_files.spectral import spectral
from marigold_blender.estimation.estimator import Estimator
from marigold_blender.estimation.tiling import estimate_in_tiles
from marigold_blender.settings import MAX_TILING, EstimateSettings
from marigold_blender.training.metrics import depth_metrics
from tests.acceptance.steps import ROOT, demo_revision
from tests.unit.checkpoints import DEMO

SCENES = Path.home() / ".cache/marigold-acceptance/tiles"
FAMILIES = "rooms,streets,tabletops,shelves,closeups,terrain"
SETTINGS = EstimateSettings(steps=1, ensemble=1, resolution=256, tiling=MAX_TILING)  # the demo's own resolution
PASSES = {"single": 256, "single_1024": 1024}
LARGE = """
import json, resource, time
import numpy as np
from skimage import data
from tests.acceptance.tiles import DEMO, SETTINGS, Estimator, estimate_in_tiles

pixels = np.tile(data.astronaut(), (20, 20, 1))[:10_000, :10_000].copy()
started = time.monotonic()
depth = estimate_in_tiles(
    Estimator.load(DEMO, "cpu"),
    pixels,
    SETTINGS,
    lambda _stage, done, total: print(done, total, flush=True) if done % 100 == 0 else None,
    lambda: False,
).depth
print(json.dumps({
    "size": depth.shape,
    "finite": bool(np.isfinite(depth).all()),
    "seconds": time.monotonic() - started,
    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
}))
"""


def hundred_megapixels() -> dict[str, Any]:
    """All levels up to 10 000 x 10 000 pixels with the demo checkpoint, in a process of its own (Linux)."""
    run = subprocess.run([sys.executable, "-c", LARGE], cwd=ROOT, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return result


def render_scenes() -> Path:
    """24 scenes with true depth, 2048 pixels wide, of a seed that no training uses; what is there is kept."""
    render = [sys.executable, "-m", "marigold_blender.training", "render", str(SCENES)]
    options = {"size": 2048, "views": 1, "count": 4, "seed": 707, "families": FAMILIES}
    for name, value in options.items():
        render += [f"--{name}", str(value)]
    subprocess.run(render, cwd=ROOT, check=True)
    return SCENES


def beside_the_single_pass(scenes: Path) -> dict[str, Any]:
    """Means over a scene data set, of tiles up to the pictures' own size and of single passes, and what tiles change.

    `single` is the pass at the network's own resolution, `single_1024` one at that processing resolution: finer edges
    for a layout that the network was not trained for. Pictures that are done are kept.
    """
    demo = Estimator.load(DEMO, "cpu")
    results = scenes / demo_revision()
    rows = [_measured(demo, scenes, picture, results) for picture in sorted((scenes / "rgb").iterdir())]
    means = {
        kind: {name: float(np.mean([row[kind][name] for row in rows])) for name in rows[0][kind]}
        for kind in ("tiles", *PASSES)
    }
    ratios = {
        kind: {name: means["tiles"][name] / max(means[kind][name], 1e-9) for name in ("boundary_f1", "abs_rel")}
        for kind in PASSES
    }
    each = float(np.mean([row["tiles"]["abs_rel"] / row["single"]["abs_rel"] for row in rows]))
    return {"images": len(rows), **means, "ratios": ratios, "mean_of_abs_rel_ratios": each, "rows": rows}


def _measured(demo: Estimator, scenes: Path, picture: Path, results: Path) -> dict[str, Any]:
    """The metrics of one picture by each way."""
    kept = results / f"{picture.stem}.json"
    if kept.is_file():
        row: dict[str, Any] = json.loads(kept.read_text())
        return row
    pixels = np.asarray(Image.open(picture).convert("RGB"))
    truth = np.load(scenes / "depth" / f"{picture.stem}.npy").astype(np.float32)
    valid = np.isfinite(truth) & (truth > 0)
    untold = (lambda *_: None, lambda: False)
    tiles = estimate_in_tiles(demo, pixels, SETTINGS, *untold, folder=results / picture.stem)
    row = {"picture": picture.stem, "tiles": depth_metrics(tiles.depth, truth, valid)}
    for kind, resolution in PASSES.items():
        alone = demo.estimate(pixels, replace(SETTINGS, resolution=resolution), *untold)
        row[kind] = depth_metrics(alone.depth, truth, valid)
    kept.write_text(json.dumps(row))
    return row


def draw_beside_the_single_pass(names: Sequence[str], picture: Path, height: int = 320) -> None:
    """Scenes in rows: as rendered, depth of the single pass, depth by tiles."""
    demo = Estimator.load(DEMO, "cpu")
    rows = []
    for name in names:
        photo = Image.open(SCENES / "rgb" / f"{name}.png").convert("RGB")
        arguments = (demo, np.asarray(photo), SETTINGS, lambda *_: None, lambda: False)
        alone = Estimator.estimate(*arguments).depth
        tiles = estimate_in_tiles(*arguments, folder=SCENES / demo_revision() / name).depth
        parts = [photo, *(Image.fromarray(spectral(depth)) for depth in (alone, tiles))]
        size = (round(photo.width * height / photo.height), height)
        rows.append(np.hstack([np.asarray(part.resize(size, Image.Resampling.LANCZOS)) for part in parts]))
    Image.fromarray(np.vstack(rows)).save(picture, quality=88)
