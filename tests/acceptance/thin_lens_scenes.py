"""Renders the scenes of part 4's acceptance run: sharp, with Cycles' own thin lens, and their true depth.

`python -m tests.acceptance.thin_lens_scenes FOLDER SAMPLES [NAME ...]` in an environment with bpy 4.5. A scene that is
there is not rendered again; FOLDER/NAME.npz holds sharp and blurred [H, W, 3] scene-linear, depth [H, W] metres with
inf for sky; FOLDER/NAME.json the camera. Scenes come from the families that the demo checkpoint was trained on, by
seed, and the lens from the depth that is seen, so that none is picked by its result.
"""

import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import bpy
import numpy as np

from marigold_blender.training.scenes.families import FAMILIES
from marigold_blender.training.scenes.passes import prepare_render, render_passes
from marigold_blender.training.scenes.stage import Stage
from marigold_blender.training.scenes.viewpoints import choose_views, place_camera
from marigold_blender.training.textures import make_textures
from tests.acceptance.own_light import give_own_light
from tests.acceptance.thin_lens_list import SCENES, LensScene

WIDTH, HEIGHT = 640, 360
SEED = 404  # of no data set
FAR_M = 1000.0
SHARP_NEEDS = 4  # times fewer samples: without a lens to scatter them, the denoiser is done sooner


def main() -> None:
    folder, samples, wanted = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    folder.mkdir(parents=True, exist_ok=True)
    textures = [str(path) for path in make_textures(folder.parent / "textures")]
    with tempfile.TemporaryDirectory() as scratch:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        prepare_render(Path(scratch), samples)
        cycles = bpy.context.scene.cycles
        cycles.denoising_prefilter, cycles.denoising_quality = "ACCURATE", "HIGH"
        for scene in SCENES:
            if (not wanted or scene.name in wanted) and not (folder / f"{scene.name}.json").exists():
                started = time.monotonic()
                render(scene, folder, Path(scratch), textures)
                print(f"{scene.name}: {time.monotonic() - started:.0f} s", flush=True)


def render(scene: LensScene, folder: Path, scratch: Path, textures: list[str]) -> None:
    """Render one scene sharp, then through the lens that its depth asks for."""
    family = FAMILIES[scene.family]
    rng = np.random.default_rng(np.random.SeedSequence([SEED, family.number, scene.index]))
    stage = Stage(rng, textures)
    (view,) = choose_views(rng, family.build(stage), 1, WIDTH / HEIGHT, family.nearest_m, tries=200)
    camera = place_camera(view, WIDTH, HEIGHT).data
    camera.dof.use_dof = False
    cycles = bpy.context.scene.cycles
    if not scene.lit:
        give_own_light()
    samples, cycles.samples = cycles.samples, cycles.samples // SHARP_NEEDS
    sharp = render_passes(scratch, 1)
    cycles.samples = samples
    depth = np.where(sharp.depth > FAR_M, np.inf, sharp.depth)
    focus_m, fstop = chosen_lens(scene, depth, camera.lens, camera.sensor_width)
    camera.dof.use_dof, camera.dof.focus_distance, camera.dof.aperture_fstop = True, focus_m, fstop
    blurred = render_passes(scratch, 2)
    np.savez(
        folder / f"{scene.name}.npz",
        sharp=sharp.linear.astype(np.float32),
        blurred=blurred.linear.astype(np.float32),
        depth=depth.astype(np.float32),
    )
    about = {
        **asdict(scene),
        "focus_m": focus_m,
        "fstop": fstop,
        "lens_mm": camera.lens,
        "sensor_mm": camera.sensor_width,
        "samples": samples,
        "brightness": stage.exposure,
    }
    (folder / f"{scene.name}.json").write_text(json.dumps(about))


def chosen_lens(scene: LensScene, depth: np.ndarray, lens_mm: float, sensor_mm: float) -> tuple[float, float]:
    """Focus distance in metres and f-stop that blur the far (or near) end of what is seen by `scene.circle`."""
    seen = np.where(np.isfinite(depth), depth, FAR_M)
    near, nearer, farther, far = np.percentile(seen, (4, 20, 80, 96))
    focus_m, end_m = (nearer, far) if scene.blurred == "background" else (farther, near)
    focal_m = lens_mm / 1000
    # The circle's diameter over the frame's width is f^2 / N * |1/d - 1/z| / sensor.
    fstop = focal_m**2 * abs(1 / focus_m - 1 / end_m) / (sensor_mm / 1000) / scene.circle
    return float(focus_m), float(fstop)


if __name__ == "__main__":
    main()
