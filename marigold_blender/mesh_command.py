# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold mesh NAME_depth.exr --out FILE`: meshes, solids and points without Blender. Called by `cli`."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np

from .depth_files.depth_map import DepthMap
from .depth_files.read import read_depth
from .depth_files.replacing import replacing_one
from .errors import MarigoldError
from .geometry.calibration import ASSUMED_RANGE
from .geometry.camera import Camera
from .geometry.discontinuities import DEFAULT_THRESHOLD
from .geometry.grid import DEFAULT_VERTICES, grid_mesh
from .geometry.points import point_grid
from .geometry.sampling import MaskedMap
from .geometry.self_calibration.result import SelfCalibration
from .geometry.solid_relief import SolidOptions, solid_relief
from .geometry.surfaces import EdgeOptions, find_surfaces
from .geometry.triangulation import triangulate
from .geometry.unprojection import metric_depth, relief, unproject
from .mesh_files.write import MeshArrays, check_format, write_mesh
from .photos.read import read_photo

MEASURES = {
    "size": "longer edge, border included",
    "height": "from the farthest to the nearest depth",
    "base": "thickness below the lowest point",
    "border": "width of the frame around the picture; 0: none",
    "border_height": "height of the frame over the lowest point of the picture",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("depth", metavar="NAME_depth.exr", help="a depth file, with the files beside it")
    parser.add_argument("--out", required=True, metavar="FILE", help=".ply, .obj or .stl")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--relief", action="store_true", help="a flat relief (default: unprojected through the camera)")
    what.add_argument("--solid", action="store_true", help="a relief as a closed solid, in millimetres")
    what.add_argument("--points", action="store_true", help="points without faces")
    parser.add_argument("--vertices", type=int, default=DEFAULT_VERTICES, help="vertices before cutting; or points")
    parser.add_argument("--triangles", type=int, default=0, help="as few triangles: more where it is rough")
    found = "default: as self-calibration found, where it is sure; else"
    parser.add_argument("--near", type=float, default=None, help=f"distance of depth 0 ({found} 1)")
    parser.add_argument("--far", type=float, default=None, help=f"distance of depth 1 ({found} 4)")
    parser.add_argument("--focal-px", type=float, default=0.0, help="focal length in pixels (default: as recorded)")
    parser.add_argument("--edge-threshold", type=float, default=DEFAULT_THRESHOLD, help="0 cuts nothing")
    parser.add_argument("--photo", default="", metavar="FILE", help="the photo, for colours (default: none)")
    solid = parser.add_argument_group("solid, in millimetres")
    for name, meaning in MEASURES.items():
        option = f"--{name.replace('_', '-')}-mm"
        solid.add_argument(option, type=float, dest=name, default=getattr(SolidOptions, name), help=meaning)
    solid.add_argument("--inverted", action="store_true", help="near becomes low: a mould")


def run(options: argparse.Namespace) -> int:
    """Write the mesh and say what is in it."""
    path = Path(options.out)
    check_format(path, has_faces=not options.points)
    depth_map = read_depth(Path(options.depth))
    _take_range(options, depth_map)
    _check(options)
    said: dict[str, object] = {}
    mesh = _solid(depth_map, options) if options.solid else _surface(depth_map, options, said)
    if options.photo:
        mesh = _coloured(mesh, depth_map, Path(options.photo))
    with replacing_one(path) as beside:
        write_mesh(beside, mesh, path.suffix.lower())
    said = {"out": str(path), "vertices": len(mesh.points), "faces": len(mesh.faces)} | said
    if options.json:
        print(json.dumps({"ok": True, **said}, ensure_ascii=False))
    else:
        print(path)
    return 0


def _take_range(options: argparse.Namespace, depth_map: DepthMap) -> None:
    """Fill in the range and the focal length that were not given, from the record where it is sure of them."""
    near, far = ASSUMED_RANGE
    recorded = depth_map.record.self_calibration
    options.focal_px = options.focal_px or depth_map.record.camera.focal_px or 0.0
    if recorded and (found := SelfCalibration.from_json(recorded)).sure:
        near, far = found.near_and_far()
        options.focal_px = options.focal_px or found.focal_px
    options.near = near if options.near is None else options.near
    options.far = far if options.far is None else options.far


def _check(options: argparse.Namespace) -> None:
    if options.vertices < 100 or options.triangles < 0:
        raise MarigoldError("bad_input", "Give 100 vertices or more, and no negative number of triangles.")
    if not 0 < options.near < options.far or not math.isfinite(options.far):
        raise MarigoldError("bad_input", "Near must be larger than 0, and far larger than near.")
    if options.focal_px < 0 or options.edge_threshold < 0:
        raise MarigoldError("bad_input", "Focal length and edge threshold cannot be negative.")


def _solid(depth_map: DepthMap, options: argparse.Namespace) -> MeshArrays:
    measures = {name: getattr(options, name) for name in MEASURES}
    solid = solid_relief(
        depth_map.depth,
        depth_map.valid,
        SolidOptions(**measures, inverted=options.inverted, vertices=options.vertices),
    )
    return MeshArrays(solid.points, solid.as_triangles(), solid.uv, solid.depth)


def _surface(depth_map: DepthMap, options: argparse.Namespace, said: dict[str, object]) -> MeshArrays:
    given = (depth_map.depth, depth_map.valid, depth_map.record.processing_size, options.near, options.far)
    faces = np.empty((0, 3), np.int32)
    if options.points:
        points = point_grid(*given, options.vertices, edge_threshold=options.edge_threshold)
        uv, depth = points.uv, points.depth
    elif options.triangles:
        edges = EdgeOptions(options.edge_threshold, sky="KEEP", least_island=0.0)
        surfaces = find_surfaces(MaskedMap(depth_map.depth, depth_map.valid), *given[2:], edges)
        few = triangulate(surfaces, options.near, options.far, options.triangles, relief=bool(options.relief))
        uv, depth, faces = few.uv, few.depth, few.triangles
        said.update(worst_error=few.worst_error, mean_error=few.mean_error)
    else:
        grid = grid_mesh(*given, vertices=options.vertices, edge_threshold=options.edge_threshold)
        uv, depth, faces = grid.uv, grid.depth, grid.quads
    if len(depth) == 0:
        raise MarigoldError("bad_input", f"{depth_map.record.name} has no valid pixels to build a mesh from.")
    camera = _camera(depth_map, options.focal_px)
    pixels = np.stack([uv[:, 0] * camera.width, (1 - uv[:, 1]) * camera.height], axis=-1)
    said |= {"near": options.near, "far": options.far, "focal_px": camera.focal_px}
    metric = metric_depth(depth, options.near, options.far)
    placed = relief(camera, pixels, metric, options.far) if options.relief else unproject(camera, pixels, metric)
    return MeshArrays(placed.astype(np.float32), faces, uv, depth)


def _camera(depth_map: DepthMap, focal_px: float) -> Camera:
    height, width = depth_map.depth.shape
    return Camera.centred(width, height, focal_px) if focal_px else Camera.from_fov(width, height)


def _coloured(mesh: MeshArrays, depth_map: DepthMap, path: Path) -> MeshArrays:
    """The mesh with the photo's colours at its vertices; those of a solid's border are the photo's edge."""
    pixels = read_photo(path).pixels
    height, width = pixels.shape[:2]
    if (height, width) != depth_map.depth.shape:
        raise MarigoldError("bad_input", f"{path.name} is not as large as the depth map: give the photo it is of.")
    column = np.clip((mesh.uv[:, 0] * width).astype(np.intp), 0, width - 1)
    row = np.clip(((1 - mesh.uv[:, 1]) * height).astype(np.intp), 0, height - 1)
    colours = pixels[row, column]
    if colours.dtype != np.uint8:
        colours = np.round(colours * 255).clip(0, 255).astype(np.uint8)
    return MeshArrays(mesh.points, mesh.faces, mesh.uv, mesh.depth, colours)
