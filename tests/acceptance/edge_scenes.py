"""Scenes with their true surfaces: `python -m tests.acceptance.edge_scenes FOLDER COUNT SIZE`.

Every scene is built from its seed as for training and seen by one camera. Cycles casts a ray through the centre of each
pixel (its Z pass is not anti-aliased); all materials are replaced and all shading is flat, so that the normals are
those of the faces hit. Four more cameras, moved aside by a tenth of the median depth, see the scene at a third of the
size. FOLDER/NAME.npz is complete when it is there.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from marigold_blender.training.scenes.families import FAMILIES
from marigold_blender.training.scenes.passes import prepare_render, render_passes
from marigold_blender.training.scenes.stage import Stage
from marigold_blender.training.scenes.viewpoints import choose_views, place_camera
from marigold_blender.training.shots import intrinsics, picture_size
from marigold_blender.training.textures import make_textures

SEED = 909  # no training uses it
FAR_M = 80.0  # what lies beyond counts as sky, as in the data sets
MOVE = 0.1  # of the median depth
SMALLER = 3
FAMILY_NAMES = ("rooms", "streets", "terrain", "tabletops", "shelves", "closeups", "corridors")


def main() -> None:
    folder, count, size = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    textures = [str(path) for path in make_textures(folder / "textures")]
    with tempfile.TemporaryDirectory() as scratch:
        prepare_render(Path(scratch), samples=1)
        for number in range(count):
            for family_name in FAMILY_NAMES:
                target = folder / f"{family_name}_{number:03}.npz"
                if not target.is_file():
                    made = make_scene(family_name, number, size, textures, Path(scratch))
                    if made:
                        beside = target.with_suffix(".part.npz")
                        np.savez(beside, **made)
                        beside.replace(target)
                        print(target.stem, flush=True)


def make_scene(family_name: str, number: int, size: int, textures: list[str], scratch: Path) -> dict[str, Any]:
    """One scene's arrays; empty if no camera sees anything."""
    family = FAMILIES[family_name]
    rng = np.random.default_rng(np.random.SeedSequence([SEED, family.number, number]))
    stage = Stage(rng, textures)
    width, height = (value // SMALLER * SMALLER for value in picture_size(rng, size))
    views = choose_views(rng, family.build(stage), 1, width / height, family.nearest_m)
    if not views:
        return {}
    camera = place_camera(views[0], width, height)
    camera.data.dof.use_dof = False
    bpy.context.view_layer.update()
    lens = np.array(intrinsics(camera, width, height))
    depth, normals = seen(scratch)
    move = MOVE * float(np.median(depth[np.isfinite(depth)]))
    moves = move * np.array([(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0)], float)
    start = camera.matrix_world.copy()
    render = bpy.context.scene.render
    render.resolution_x, render.resolution_y = width // SMALLER, height // SMALLER
    moved = []
    for aside in moves:
        camera.matrix_world = start @ Matrix.Translation(aside)
        moved.append(seen(scratch)[0])
    return {"depth": depth, "normals": normals, "lens": lens, "moves": moves, "moved": np.stack(moved)}


def seen(scratch: Path) -> tuple[np.ndarray, np.ndarray]:
    """Planar depth [H, W] (inf: nothing), and the normals [H, W, 3] in camera space of the faces that are seen."""
    plain = bpy.data.materials.get("plain") or bpy.data.materials.new("plain")
    bpy.context.view_layer.material_override = plain
    bpy.context.scene.cycles.use_denoising = False
    for mesh in bpy.data.meshes:
        mesh.shade_flat()
    passes = render_passes(scratch, 0)
    return np.where(passes.depth > FAR_M, np.inf, passes.depth).astype(np.float32), passes.normals


if __name__ == "__main__":
    main()
