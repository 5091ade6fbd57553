# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the picture of edges and fill in docs/geometry.md: `python tools/make_edge_pictures.py [FOLDER]`.

From a camera that was moved aside: a rendered scene with its true depth, and a photo with the demo model's; uncut, cut,
and filled behind. FOLDER keeps the rendered scene. Needs bpy and the worker's libraries in one Python.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import bpy
import numpy as np
import sklearn.datasets
from mathutils import Matrix
from PIL import Image, ImageOps

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from marigold_blender import scene  # noqa: E402
from marigold_blender.scene.depth_image import load_depth, read_pixels  # noqa: E402
from marigold_blender.scene.photo_scene import PhotoSceneOptions, build_photo_scene  # noqa: E402
from tests.blender.synthetic_photo import render, write_job  # noqa: E402

PICTURE = ROOT / "docs" / "pictures" / "edges.jpg"
PHOTO = Path(sklearn.datasets.__file__).parent / "images" / "china.jpg"
SCENE = {"families": "tabletops", "count": "1", "views": "1", "size": "640", "samples": "32", "seed": "914"}
WIDTH, HEIGHT, GAP = 360, 270, 4
MOVE = 0.1  # of the median distance
LOOKS = (
    {"edge_threshold": 0.0, "least_island": 0.0, "sky": "KEEP"},
    {},
    {"fill": True},
)


def main() -> None:
    scene.register()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(scratch) / "scene"
        rows = [looks(Path(scratch), *rendered(folder, Path(scratch))), looks(Path(scratch), *estimated(Path(scratch)))]
    sheet = Image.new("RGB", (4 * (WIDTH + GAP) - GAP, 2 * (HEIGHT + GAP) - GAP), "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            fitted = ImageOps.fit(picture, (WIDTH, HEIGHT), Image.Resampling.LANCZOS)
            sheet.paste(fitted, (x * (WIDTH + GAP), y * (HEIGHT + GAP)))
    sheet.save(PICTURE, quality=85)
    scene.unregister()  # bpy 4.5 hangs at exit otherwise


def rendered(folder: Path, scratch: Path) -> tuple[dict, dict]:
    """Files of a rendered scene with its true depth, and what its depth image says of range and camera."""
    command = [sys.executable, "-m", "marigold_blender.training", "render", str(folder)]
    subprocess.run([*command, *(word for name, value in SCENE.items() for word in (f"--{name}", value))], check=True)
    name = next((folder / "meta").glob("*.json")).stem
    meta = json.loads((folder / "meta" / f"{name}.json").read_text())
    depth = np.load(folder / "depth" / f"{name}.npy")
    hit = np.isfinite(depth)
    near, far = float(depth[hit].min()), float(depth[hit].max())
    affine = np.where(hit, (depth - near) / (far - near), 1).astype(np.float32)
    pixels = np.asarray(Image.open(folder / "rgb" / f"{name}.png").convert("RGB"), np.float32) / 255
    files = write_job(scratch / "job", pixels, affine, valid=hit)
    return files, {"far": far, "near": near, **{key: meta[key] for key in ("focal_px", "cx", "cy")}}


def estimated(folder: Path) -> tuple[dict, dict]:
    """Files of a photo with its depth by the demo model."""
    options = ["--steps", "4", "--ensemble", "6", "--resolution", "384", "--output", str(folder)]
    subprocess.run([sys.executable, "-m", "marigold_blender.cli", "estimate", PHOTO, *options], check=True, cwd=ROOT)
    name = PHOTO.stem
    return {"depth": folder / f"{name}_depth.exr", "record": folder / f"{name}.json", "photo": PHOTO}, {}


def looks(folder: Path, files: dict, properties: dict) -> list[Image.Image]:
    """The photo, and what its camera sees of each look when it is moved to the right."""
    pictures = [Image.open(files["photo"]).convert("RGB")]
    for options in LOOKS:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        image = load_depth(files)
        for key, value in properties.items():
            setattr(image.marigold, key, value)
        built = build_photo_scene(bpy.context, image, PhotoSceneOptions(match_render=True, **options))
        pixels = read_pixels(image)
        near, far = image.marigold.near, image.marigold.far
        median = near + float(np.median(pixels.depth)) * (far - near)
        camera = bpy.context.scene.camera
        camera.matrix_world = built.matrix_world @ Matrix.Translation((MOVE * median, 0, 0))
        seen = render(folder / "seen.png", samples=16)
        shown = seen[..., :3] * seen[..., 3:] + 0.75 * (1 - seen[..., 3:])
        pictures.append(Image.fromarray((shown.clip(0, 1) * 255 + 0.5).astype(np.uint8)))
    return pictures


if __name__ == "__main__":
    main()
