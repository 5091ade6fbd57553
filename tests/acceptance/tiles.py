"""Depth by tiles: a picture of 100 megapixels in bounded memory, beside the single pass on scenes. Steps of part 5."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from marigold_blender.estimation.estimator import Estimator
from marigold_blender.estimation.tiling import estimate_in_tiles
from marigold_blender.settings import MAX_TILING, EstimateSettings
from marigold_blender.training.metrics import depth_metrics
from tests.acceptance.steps import ROOT
from tests.unit.checkpoints import DEMO

SCENES = Path.home() / ".cache/marigold-acceptance/tiles"
FAMILIES = "rooms,streets,tabletops,shelves,closeups,terrain"
SETTINGS = EstimateSettings(steps=1, ensemble=1, resolution=256, tiling=MAX_TILING)  # the demo's own resolution
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
    """Mean metrics on a scene data set: of the single pass, of tiles up to the pictures' own size, and ratios."""
    demo = Estimator.load(DEMO, "cpu")
    rows: dict[str, list[dict[str, float]]] = {"single": [], "tiles": []}
    for picture in sorted((scenes / "rgb").iterdir()):
        pixels = np.asarray(Image.open(picture).convert("RGB"))
        truth = np.load(scenes / "depth" / f"{picture.stem}.npy").astype(np.float32)
        valid = np.isfinite(truth) & (truth > 0)
        arguments = (demo, pixels, SETTINGS, lambda *_: None, lambda: False)
        rows["tiles"].append(depth_metrics(estimate_in_tiles(*arguments).depth, truth, valid))
        rows["single"].append(depth_metrics(Estimator.estimate(*arguments).depth, truth, valid))
    means = {
        kind: {name: float(np.mean([row[name] for row in all_rows])) for name in all_rows[0]}
        for kind, all_rows in rows.items()
    }
    ratios = {name: means["tiles"][name] / means["single"][name] for name in ("boundary_f1", "abs_rel")}
    return {"images": len(rows["tiles"]), **means, "ratios": ratios}
