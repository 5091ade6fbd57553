"""Time and memory of building a mesh, as a command: `python tests/bench/build_mesh.py [--vertices N] [--size W H]`.

Prints one JSON object: seconds for the mesh data alone (geometry and Blender's mesh from arrays), for the whole
`build_photo_scene` (reading the depth image's pixels, material, camera), for moving the vertices to another range; and
the peak memory of the process before and after. Runs in any Python with bpy, from the repository's root.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from marigold_blender import scene
from marigold_blender.geometry.grid import grid_mesh
from marigold_blender.scene import depth_image, mesh, photo_scene
from tests.blender.synthetic_photo import garden, write_job


def peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vertices", type=int, default=1_000_000)
    parser.add_argument("--size", type=int, nargs=2, default=(1600, 1200))
    parser.add_argument("--processing", type=int, nargs=2, default=(768, 576))
    arguments = parser.parse_args()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene.register()
    with tempfile.TemporaryDirectory() as folder:
        files = write_job(Path(folder), *garden(*arguments.size), processing_size=arguments.processing)
        image = depth_image.load_depth(files)
    before = peak_mb()

    started = time.perf_counter()
    pixels = depth_image.read_pixels(image)
    reading = time.perf_counter() - started
    started = time.perf_counter()
    grid = grid_mesh(pixels.depth, None, arguments.processing, 1, 4, vertices=arguments.vertices)
    geometry = time.perf_counter() - started
    started = time.perf_counter()
    bpy.data.meshes.remove(mesh.mesh_from_grid("alone", grid, image, "PERSPECTIVE"))
    mesh_data = time.perf_counter() - started
    del pixels, grid

    started, started_cpu = time.perf_counter(), time.process_time()
    options = photo_scene.PhotoSceneOptions(vertices=arguments.vertices)
    built = photo_scene.build_photo_scene(bpy.context, image, options)
    whole, whole_cpu = time.perf_counter() - started, time.process_time() - started_cpu
    started = time.perf_counter()
    image.marigold.far = 5
    moving = time.perf_counter() - started
    print(
        json.dumps(
            {
                "blender": bpy.app.version_string,
                "numpy": np.__version__,
                "vertices": len(built.data.vertices),
                "faces": len(built.data.polygons),
                "seconds_reading": round(reading, 3),
                "seconds_geometry": round(geometry, 3),
                "seconds_blender_mesh": round(mesh_data, 3),
                "seconds_mesh_data": round(geometry + mesh_data, 3),
                "seconds_build_photo_scene": round(whole, 3),
                "cpu_seconds_build_photo_scene": round(whole_cpu, 3),
                "seconds_moving": round(moving, 3),
                "peak_mb_before": before,
                "peak_mb": peak_mb(),
                "load": os.getloadavg()[0],
            }
        ),
        flush=True,
    )
    scene.unregister()


if __name__ == "__main__":
    main()
