# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the picture of solids and triangle budgets in docs/geometry.md: `python tools/make_output_pictures.py`.

A photo's depth by the demo model becomes a solid, rendered with Cycles, and a mesh of few triangles. Needs bpy and the
worker's libraries in one Python, as the development environment has them.
"""

import math
import subprocess
import sys
import tempfile
from pathlib import Path

import bpy
import skimage
from mathutils import Euler
from PIL import Image, ImageDraw, ImageOps

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from marigold_blender import scene  # noqa: E402
from marigold_blender.depth_files.read import read_depth  # noqa: E402
from marigold_blender.geometry.sampling import MaskedMap  # noqa: E402
from marigold_blender.geometry.solid_relief import SolidOptions  # noqa: E402
from marigold_blender.geometry.surfaces import find_surfaces  # noqa: E402
from marigold_blender.geometry.triangulation import triangulate  # noqa: E402
from marigold_blender.scene.depth_image import load_depth  # noqa: E402
from marigold_blender.scene.solid_object import build_solid  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
PHOTO = Path(skimage.__file__).parent / "data" / "coffee.png"
WIDTH, HEIGHT = 440, 330
SAMPLES = 24
BUDGET = 20_000


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = estimate(Path(folder))
        shots = [
            shot(Path(folder) / "photo.png", files, solid, clay=False),
            shot(Path(folder) / "clay.png", files, solid, clay=True),
            few_triangles(Path(folder) / "few.png", files),
        ]
        sheet = Image.new("RGB", (WIDTH * len(shots), HEIGHT))
        for number, path in enumerate(shots):
            sheet.paste(Image.open(path).convert("RGB"), (number * WIDTH, 0))
        sheet.save(PICTURES / "outputs.jpg", quality=88)


def estimate(folder: Path) -> dict[str, Path]:
    """The files of the photo's depth."""
    options = ["--steps", "4", "--ensemble", "4", "--resolution", "480", "--output", folder]
    subprocess.run([sys.executable, "-m", "marigold_blender.cli", "estimate", PHOTO, *options], check=True, cwd=ROOT)
    name = PHOTO.stem
    return {"depth": folder / f"{name}_depth.exr", "record": folder / f"{name}.json", "photo": PHOTO}


def shot(path: Path, files: dict[str, Path], build, *, clay: bool) -> Path:
    """A render of what `build` makes, lit from the upper left; as clay, or as it is."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene.register()
    build(load_depth(files))
    built = bpy.context.view_layer.objects.active
    if clay:
        material = bpy.data.materials.new("clay")
        if bpy.app.version < (5, 0, 0):
            material.use_nodes = True
        surface = material.node_tree.nodes["Principled BSDF"]
        surface.inputs["Base Color"].default_value = (0.55, 0.5, 0.45, 1)
        surface.inputs["Roughness"].default_value = 0.8
        built.data.materials[0] = material
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy, sun.data.angle = 3.5, math.radians(4)
    sun.rotation_euler = Euler((math.radians(48), math.radians(-28), 0))
    current = bpy.context.scene
    current.collection.objects.link(sun)
    current.world = bpy.data.worlds.new("world")
    if bpy.app.version < (5, 0, 0):
        current.world.use_nodes = True
    current.world.node_tree.nodes["Background"].inputs[0].default_value = (0.55, 0.6, 0.65, 1)
    current.world.node_tree.nodes["Background"].inputs[1].default_value = 0.5
    render = current.render
    render.engine, render.resolution_x, render.resolution_y = "CYCLES", WIDTH, HEIGHT
    current.cycles.samples, current.cycles.device = SAMPLES, "CPU"
    current.view_settings.view_transform = "Standard"
    render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    scene.unregister()
    return path


def solid(depth: bpy.types.Image) -> None:
    build_solid(bpy.context, depth, SolidOptions(size=120, height=14, border=5, border_height=7, vertices=300_000))
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.lens, camera.data.clip_start = 56, 0.001
    camera.location = (0.01, -0.185, 0.155)
    camera.rotation_euler = Euler((math.radians(50), 0, math.radians(3)))
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera


def few_triangles(path: Path, files: dict[str, Path]) -> Path:
    """The triangles of a budget over the photo, as the camera sees them."""
    depth_map = read_depth(files["depth"])
    surfaces = find_surfaces(MaskedMap(depth_map.depth, depth_map.valid), depth_map.record.processing_size, 1.0, 4.0)
    mesh = triangulate(surfaces, 1.0, 4.0, BUDGET)
    photo = ImageOps.fit(Image.open(PHOTO).convert("RGB"), (2 * WIDTH, 2 * HEIGHT), centering=(0, 0))
    scale = max(WIDTH / depth_map.record.width, HEIGHT / depth_map.record.height)
    places = mesh.uv * [1, -1] + [0, 1]
    places *= [2 * scale * depth_map.record.width, 2 * scale * depth_map.record.height]
    drawing = ImageDraw.Draw(photo)
    for triangle in mesh.triangles:
        corners = [tuple(places[corner]) for corner in triangle]
        drawing.line([*corners, corners[0]], fill=(255, 255, 255), width=1)
    photo.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).save(path)
    return path


if __name__ == "__main__":
    main()
