"""Meshes of true depth against their scenes: `python -m tests.acceptance.true_surface_scenes FOLDER COUNT SIZE`.

Each scene is built from its seed as for training. Its Z pass becomes a depth image as the worker would hand it over,
the extension builds the mesh from that, and rays through its vertices and the middles of its faces are cast into the
scene itself. FOLDER/NAME.json is complete when it is there.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Vector

from marigold_blender import scene as marigold_scene
from marigold_blender.scene.depth_image import load_depth
from marigold_blender.scene.photo_scene import PhotoSceneOptions, build_photo_scene
from marigold_blender.training.scenes.families import FAMILIES
from marigold_blender.training.scenes.passes import prepare_render, render_passes
from marigold_blender.training.scenes.stage import Stage
from marigold_blender.training.scenes.viewpoints import choose_views, place_camera
from marigold_blender.training.shots import intrinsics, picture_size
from marigold_blender.training.textures import make_textures
from tests.blender.synthetic_photo import vertices_of, write_job

SEED = 611  # no training uses it
FAR_M = 80.0
RAYS = 3000  # of vertices, and as many of faces
SAME_SURFACE = 0.02  # a ray that hits something this much nearer or farther met another surface: beside an edge


def main() -> None:
    folder, count, size = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    textures = [str(path) for path in make_textures(folder / "textures")]
    marigold_scene.register()
    with tempfile.TemporaryDirectory() as scratch:
        prepare_render(Path(scratch), samples=1)
        for number in range(count):
            for family_name in FAMILIES:
                target = folder / f"{family_name}_{number:03}.json"
                if not target.is_file():
                    measured = measure(family_name, number, size, textures, Path(scratch))
                    target.write_text(json.dumps(measured))
                    print(target.stem, measured, flush=True)
    marigold_scene.unregister()


def measure(family_name: str, number: int, size: int, textures: list[str], scratch: Path) -> dict[str, Any]:
    """One scene's errors; empty if no camera sees anything."""
    family = FAMILIES[family_name]
    rng = np.random.default_rng(np.random.SeedSequence([SEED, family.number, number]))
    stage = Stage(rng, textures)
    width, height = picture_size(rng, size)
    views = choose_views(rng, family.build(stage), 1, width / height, family.nearest_m)
    if not views:
        return {}
    camera = place_camera(views[0], width, height)
    camera.data.dof.use_dof = False
    bpy.context.view_layer.update()
    focal_px, cx, cy = intrinsics(camera, width, height)
    metric = render_passes(scratch, 0).depth
    valid = np.isfinite(metric) & (metric > 0) & (metric < FAR_M)
    near, far = float(metric[valid].min()), float(metric[valid].max())
    depth = np.where(valid, (metric - near) / (far - near), 1.0).astype(np.float32)
    photo = np.zeros((height, width, 3), np.float32)
    image = load_depth(write_job(scratch / "job", photo, depth, name=family_name, valid=valid))
    image.marigold.move(near=near, far=far, focal_px=focal_px, cx=cx, cy=cy)
    built = build_photo_scene(bpy.context, image, PhotoSceneOptions(vertices=width * height))
    vertices = vertices_of(built.data).astype(float)
    corners = np.empty(4 * len(built.data.polygons), np.int32)
    built.data.loops.foreach_get("vertex_index", corners)
    faces = vertices[corners.reshape(-1, 4)].mean(axis=1)
    collection = built.users_collection[0]
    for other in list(collection.objects):
        bpy.data.objects.remove(other)
    bpy.context.view_layer.update()
    world = np.array(camera.matrix_world)
    return {
        "size": [width, height],
        "lens_35mm": round(focal_px / width * 36, 1),
        "vertices": errors(vertices, world, rng),
        "faces": errors(faces, world, rng),
    }


def errors(points: np.ndarray, world: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    """Of points in camera space: how far they are from what a ray from the camera through them hits, relative."""
    chosen = points[rng.choice(len(points), min(RAYS, len(points)), replace=False)]
    graph = bpy.context.evaluated_depsgraph_get()
    origin = Vector(world[:3, 3])
    found = []
    for point in chosen:
        direction = Vector(world[:3, :3] @ point)
        hit, place, *_ = bpy.context.scene.ray_cast(graph, origin, direction.normalized())
        if hit:
            found.append((place - origin).length / direction.length - 1)
    relative = np.abs(found)
    same = relative < SAME_SURFACE
    return {
        "rays": len(found),
        "median": float(np.median(relative)),
        "on_another_surface": float(1 - same.mean()),
        "p90_on_the_same": float(np.quantile(relative[same], 0.9)),
    }


if __name__ == "__main__":
    main()
