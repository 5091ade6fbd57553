"""What a camera that moves aside sees of built scenes: `python -m tests.acceptance.edges_moved SCENE.npz …`.

The true depth of each scene goes the way of any depth image, into Blender; its own camera then moves by a tenth of the
median distance to the right, left, up and down. Counted are the rays that meet a true surface at a place inside the
photo's frustum, and those of them that meet nothing that was built, with the layer behind the edges and without it.
Prints RESULT and a JSON list.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from marigold_blender import scene as marigold_scene
from marigold_blender.scene.depth_image import load_depth
from marigold_blender.scene.photo_scene import PhotoSceneOptions, build_photo_scene
from tests.acceptance.edge_scenes import SMALLER
from tests.acceptance.edges import Scene, open_scene
from tests.blender.synthetic_photo import render, write_job

NOTHING = 1e9


def main() -> None:
    marigold_scene.register()
    rows = [_look_around(open_scene(Path(path))) for path in sys.argv[1:]]
    marigold_scene.unregister()
    print("RESULT" + json.dumps(rows))


def _look_around(scene: Scene) -> dict[str, Any]:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    depth, near, far = scene.affine()
    height, width = depth.shape
    with tempfile.TemporaryDirectory() as folder:
        photo = np.full((height, width, 3), 0.5, np.float32)
        image = load_depth(write_job(Path(folder), photo, depth, valid=scene.hit))
        properties = image.marigold
        properties.far, properties.near = far, near
        properties.focal_px, properties.cx, properties.cy = map(float, scene.lens)
        built = build_photo_scene(bpy.context, image, PhotoSceneOptions(fill=True, match_render=True))
        layer = next(other for other in built.users_collection[0].objects if other.name.endswith("background"))
        camera = bpy.context.scene.camera
        settings = bpy.context.scene.render
        settings.resolution_x, settings.resolution_y = width // SMALLER, height // SMALLER
        counted, uncovered, without = 0, 0, 0
        for move, truth in zip(scene.moves, scene.moved, strict=True):
            camera.matrix_world = built.matrix_world @ Matrix.Translation(move)
            inside = _inside_frustum(scene, move, truth)
            counted += int(inside.sum())
            for hidden in (False, True):
                layer.hide_render = hidden
                seen = render(Path(folder) / "seen.exr", samples=1, z_pass=True)
                holes = int((inside & (seen > NOTHING)).sum())
                uncovered, without = (uncovered, without + holes) if hidden else (uncovered + holes, without)
    return {"name": scene.name, "rays": counted, "uncovered": uncovered, "without_fill": without}


def _inside_frustum(scene: Scene, move: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Which of the moved camera's rays meet a surface at a place that the photo's frame encloses."""
    height, width = scene.depth.shape
    focal, cx, cy = scene.lens
    y, x = (np.mgrid[: truth.shape[0], : truth.shape[1]] + 0.5) * SMALLER
    hit = np.isfinite(truth)
    z = np.where(hit, truth, 1)
    column = ((x - cx) / focal * z + move[0]) / z * focal + cx
    row = cy - ((cy - y) / focal * z + move[1]) / z * focal
    return hit & (column > 0) & (column < width) & (row > 0) & (row < height)


if __name__ == "__main__":
    main()
