"""Time and truth of a live mesh, as a command: `python tests/bench/live_mesh.py [--vertices N] [--size W H]`.

Prints one JSON object: seconds of evaluating the node group after an input has changed (wall and processor), with and
without the cut; whether the mesh data was touched by it; how far the vertices are from those of the numpy geometry
(relative), and how many cells of the grid differ. Runs in any Python with bpy, from the repository's root.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from marigold_blender import scene
from marigold_blender.geometry.discontinuities import find_discontinuities
from marigold_blender.geometry.lattice import lattice_size
from marigold_blender.geometry.live_cells import cells_at_jumps
from marigold_blender.geometry.sampling import MaskedMap
from marigold_blender.geometry.unprojection import metric_depth, unproject
from marigold_blender.scene import depth_image, live_sockets, photo_scene, versions
from marigold_blender.scene.following import camera_of
from tests.blender.synthetic_photo import garden, vertices_of, write_job

REPEATS = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vertices", type=int, default=1_000_000)
    parser.add_argument("--size", type=int, nargs=2, default=(768, 576))
    arguments = parser.parse_args()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene.register()
    with tempfile.TemporaryDirectory() as folder:
        image = depth_image.load_depth(write_job(Path(folder), *garden(*arguments.size)))
    started = time.perf_counter()
    options = photo_scene.PhotoSceneOptions(live=True, vertices=arguments.vertices)
    built = photo_scene.build_photo_scene(bpy.context, image, options)
    building = time.perf_counter() - started
    modifier, grid = built.modifiers[0], built.data
    kept = vertices_of(grid).copy()
    cut_wall, cut_processor = evaluation(built, modifier)
    measured = truth(built, image, options)
    versions.set_modifier_input(modifier, live_sockets.EDGE_THRESHOLD, 0.0)
    uncut_wall, uncut_processor = evaluation(built, modifier)
    measured |= {
        "blender": bpy.app.version_string,
        "vertices": len(grid.vertices),
        "seconds_building": round(building, 3),
        "seconds_evaluating": round(cut_wall, 3),
        "processor_seconds_evaluating": round(cut_processor, 3),
        "seconds_evaluating_uncut": round(uncut_wall, 3),
        "processor_seconds_evaluating_uncut": round(uncut_processor, 3),
        "mesh_data_untouched": built.data == grid and bool(np.array_equal(vertices_of(grid), kept)),
        "load": os.getloadavg()[0],
    }
    print(json.dumps(measured), flush=True)
    scene.unregister()


def evaluation(built: bpy.types.Object, modifier: bpy.types.Modifier) -> tuple[float, float]:
    """Least seconds, wall and processor, from a changed input to the evaluated mesh."""
    graph = bpy.context.evaluated_depsgraph_get()
    wall, processor = [], []
    for number in range(REPEATS):
        versions.set_modifier_input(modifier, live_sockets.FAR, 4.0 + 0.01 * (REPEATS - 1 - number))
        started, used = time.perf_counter(), time.process_time()
        graph.update()
        assert len(built.evaluated_get(graph).data.vertices) > 0
        wall.append(time.perf_counter() - started)
        processor.append(time.process_time() - used)
    return min(wall), min(processor)


def truth(
    built: bpy.types.Object, image: bpy.types.Image, options: photo_scene.PhotoSceneOptions
) -> dict[str, float | int]:
    """The evaluated mesh beside the numpy geometry of the same depth."""
    mesh = built.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    depth, (width, height) = MaskedMap(depth_image.read_pixels(image).depth, None), image.size
    near, far = image.marigold.near, image.marigold.far
    places = np.empty(2 * len(mesh.vertices), np.float32)
    mesh.attributes["picture"].data.foreach_get("vector", places)
    pixels = (places.reshape(-1, 2) * [1, -1] + [0, 1]) * [width, height]
    expected = unproject(camera_of(image), pixels, metric_depth(depth.at_points(*pixels.T), near, far))
    off = np.linalg.norm(vertices_of(mesh) - expected, axis=1) / np.linalg.norm(expected, axis=1)

    columns, rows = lattice_size(width, height, options.vertices)
    jumps = find_discontinuities(depth, (width, height), near, far, options.edge_threshold)
    expected_cut = cells_at_jumps(jumps, columns, rows)
    corners = np.empty(4 * len(mesh.polygons), np.int32)
    mesh.attributes[".corner_vert"].data.foreach_get("value", corners)
    middle = places.reshape(-1, 2)[corners].reshape(-1, 4, 2).mean(axis=1)
    cut = np.ones((rows - 1, columns - 1), bool)
    cut[((1 - middle[:, 1]) * (rows - 1)).astype(int), (middle[:, 0] * (columns - 1)).astype(int)] = False
    return {
        "worst_relative_error": float(off.max()),
        "cells_cut": int(cut.sum()),
        "cells_that_differ": int((cut != expected_cut).sum()),
    }


if __name__ == "__main__":
    main()
