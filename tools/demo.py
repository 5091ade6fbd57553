# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`: a real photo becomes a mesh in Blender, through the extension's zip as a user installs it.

Writes into the folder that is given: the depth files of scikit-learn's photo `china`, `scene.blend`, and `render.png`:
left from the matched camera, right from a camera moved aside, so that the depth is seen.
"""

import contextlib
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import sklearn.datasets
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
PHOTO = Path(sklearn.datasets.__file__).parent / "images" / "china.jpg"
ASIDE = 0.12  # how far the second camera stands to the right, as a share of the distance to the middle of the scene
SAMPLES = 16


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="marigold_demo_") as user_folder:
        os.environ["BLENDER_USER_RESOURCES"] = user_folder  # before bpy is imported
        os.environ.setdefault("MARIGOLD_PYTHON", sys.executable)
        os.environ.setdefault("MARIGOLD_CACHE", str(folder.absolute() / "cache"))
        zip_path = _built_extension(Path(user_folder))
        import bpy

        with _quiet_stdout():
            bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
            bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
            bpy.context.preferences.filepaths.save_version = 0  # no scene.blend1 beside it
            bpy.ops.marigold.estimate_depth(filepath=str(PHOTO), preset="BEST", output=str(folder.absolute()))
            bpy.ops.marigold.build_mesh(depth="china depth", sky="KEEP", fill=True, match_render=True)
            bpy.ops.wm.save_as_mainfile(filepath=str(folder.absolute() / "scene.blend"), compress=True)
            pictures = _render_both(bpy, folder.absolute())
        Image.fromarray(np.concatenate(pictures, axis=1)).save(folder / "render.png")
    for name in ("scene.blend", "china_depth.exr", "china_depth.png", "china_preview.png", "render.png"):
        print(folder / name)


def _built_extension(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, ROOT / "tools/build_extension.py", folder], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def _render_both(bpy, folder: Path) -> list[np.ndarray]:
    """[H, W, 3] uint8 from the matched camera, then from the side."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = SAMPLES
    scene.cycles.use_denoising = False
    scene.render.image_settings.file_format = "PNG"
    scene.world = _backdrop(bpy)
    camera = scene.camera
    matched = _render(bpy, folder / "matched.png")
    depth = bpy.data.images["china depth"].marigold
    pivot = 0.5 * (depth.near + depth.far) * 0.8
    aside = ASIDE * pivot
    camera.location.x += aside
    camera.location.z += 0.25 * aside
    camera.rotation_euler.z += math.atan2(aside, pivot)
    camera.rotation_euler.x -= math.atan2(0.25 * aside, pivot)
    return [matched, _render(bpy, folder / "aside.png")]


def _backdrop(bpy):
    """A grey world: what the photo does not show is seen to be empty, not black."""
    world = bpy.data.worlds.new("backdrop")
    if bpy.app.version < (5, 0, 0):
        world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.25, 0.25, 0.25, 1.0)
    return world


def _render(bpy, path: Path) -> np.ndarray:
    bpy.context.scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    path.unlink()
    return pixels


@contextlib.contextmanager
def _quiet_stdout() -> Iterator[None]:
    """Blender's render log is not the demo's output; it is C code, so the descriptor itself is turned away."""
    sys.stdout.flush()
    kept = os.dup(1)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 1)
        try:
            yield
        finally:
            sys.stdout.flush()
            os.dup2(kept, 1)
            os.close(kept)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
