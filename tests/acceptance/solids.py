"""Solids of ten photos, and the error of triangle budgets on them. Steps of part 6."""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import skimage
import sklearn.datasets
import trimesh

from marigold_blender.estimation.estimator import Estimator
from marigold_blender.geometry.sampling import MaskedMap
from marigold_blender.geometry.solid_relief import SolidOptions, solid_relief
from marigold_blender.geometry.surfaces import find_surfaces
from marigold_blender.geometry.triangulation import triangulate
from marigold_blender.mesh_files.write import MeshArrays, write_mesh
from marigold_blender.photos.read import read_photo
from marigold_blender.settings import EstimateSettings
from tests.unit.checkpoints import DEMO

SKLEARN = Path(sklearn.datasets.__file__).parent / "images"
SKIMAGE = Path(skimage.__file__).parent / "data"
PHOTOS = (
    SKLEARN / "china.jpg",
    SKLEARN / "flower.jpg",
    *(
        SKIMAGE / name
        for name in (
            "astronaut.png",
            "camera.png",
            "chelsea.png",
            "coffee.png",
            "coins.png",
            "motorcycle_left.png",
            "rocket.jpg",
            "gravel.png",
        )
    ),
)
BUDGETS = (5_000, 20_000, 100_000)


def solids() -> dict[str, Any]:
    """Each photo's solid, written as STL and read by trimesh: closed, wound one way, a volume, one piece, its size."""
    measured = {}
    options = SolidOptions()
    for photo in PHOTOS:
        depth, _ = _depth(photo)
        started = time.perf_counter()
        solid = solid_relief(depth, None, options)
        seconds = time.perf_counter() - started
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "solid.stl"
            write_mesh(path, MeshArrays(solid.points, solid.as_triangles(), solid.uv, solid.depth), ".stl")
            mesh = trimesh.load(path)
        _, faces_of_edge = np.unique(mesh.edges_sorted, axis=0, return_counts=True)
        measured[photo.stem] = {
            "watertight": bool(mesh.is_watertight),
            "manifold": bool((faces_of_edge == 2).all() and mesh.euler_number == 2),
            "winding_consistent": bool(mesh.is_winding_consistent),
            "volume_mm3": float(mesh.volume),
            "size_mm": [round(float(size), 3) for size in mesh.extents],
            "least_thickness_mm": float(solid.points[solid.points[:, 2] > 0, 2].min()),
            "triangles": len(mesh.faces),
            "seconds": round(seconds, 2),
        }
    passed = [
        all(found[key] for key in ("watertight", "manifold", "winding_consistent")) for found in measured.values()
    ]
    return {"photos": len(measured), "passed": sum(passed), "solids": measured}


def triangle_budgets() -> dict[str, Any]:
    """Worst and root mean square error of the distance, as a share of it, with so many triangles (near 1, far 4)."""
    measured: dict[str, Any] = {}
    for photo in PHOTOS[:4]:
        depth, size = _depth(photo)
        surfaces = find_surfaces(MaskedMap(depth, None), size, 1.0, 4.0)
        measured[photo.stem] = {}
        for budget in BUDGETS:
            started = time.perf_counter()
            mesh = triangulate(surfaces, 1.0, 4.0, budget)
            measured[photo.stem][str(budget)] = {
                "triangles": len(mesh.triangles),
                "worst_error": mesh.worst_error,
                "mean_error": mesh.mean_error,
                "seconds": round(time.perf_counter() - started, 3),
            }
    return measured


def _depth(photo: Path) -> tuple[np.ndarray, tuple[int, int]]:
    """The demo's depth of a photo, at the photo's size, and the size that the network saw."""
    settings = EstimateSettings(steps=2, ensemble=1, resolution=320)
    estimator = Estimator.load(DEMO, "cpu")
    prediction = estimator.estimate(read_photo(photo).pixels, settings, lambda *_: None, lambda: False)
    return prediction.depth, prediction.processing_size
