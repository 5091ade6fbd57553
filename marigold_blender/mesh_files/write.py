# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a mesh as PLY, OBJ or STL. Called by the `marigold mesh` command.

The formats as their authors describe them: PLY (Turk 1994, binary little-endian), OBJ (Wavefront), STL (3D Systems,
binary, which has neither colours nor texture coordinates).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import MarigoldError

FORMATS = (".ply", ".obj", ".stl")


@dataclass(frozen=True)
class MeshArrays:
    """What is written.

    Attributes:
        points: [V, 3] float32.
        faces: [F, 3 or 4] int32, counter-clockwise from outside; without any it is a point cloud.
        uv: [V, 2] float32, (0, 0) bottom left; depth: [V] float32, 0 near .. 1 far.
        colours: [V, 3] uint8, sRGB; or None.
    """

    points: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    depth: np.ndarray
    colours: np.ndarray | None = None

    def triangles(self) -> np.ndarray:
        """All faces as triangles [T, 3]: every quad divided in two."""
        if self.faces.shape[1] == 3:
            return self.faces
        return np.concatenate([self.faces[:, [0, 1, 2]], self.faces[:, [0, 2, 3]]])


def check_format(path: Path, has_faces: bool) -> None:
    """Raises MarigoldError (`bad_input`) where `path` names no format that can hold it."""
    if path.suffix.lower() not in FORMATS:
        raise MarigoldError("bad_input", f"{path.name}: a mesh can be written as {', '.join(FORMATS)}.")
    if path.suffix.lower() == ".stl" and not has_faces:
        raise MarigoldError("bad_input", "STL holds no points: write a point cloud as .ply or .obj.")


def write_mesh(path: Path, mesh: MeshArrays, kind: str) -> None:
    """Write the mesh to `path` in the format `kind`, one of `FORMATS`.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("wb") as file:
        file.write({".ply": _ply, ".obj": _obj, ".stl": _stl}[kind](mesh))


def _ply(mesh: MeshArrays) -> bytes:
    columns = [("x", "f4"), ("y", "f4"), ("z", "f4"), ("s", "f4"), ("t", "f4"), ("depth", "f4")]
    colours = [(name, "u1") for name in ("red", "green", "blue")] if mesh.colours is not None else []
    vertices = np.empty(len(mesh.points), np.dtype([(name, f"<{kind}") for name, kind in columns + colours]))
    for name, values in zip("xyz", mesh.points.T, strict=True):
        vertices[name] = values
    vertices["s"], vertices["t"], vertices["depth"] = mesh.uv[:, 0], mesh.uv[:, 1], mesh.depth
    if mesh.colours is not None:
        for (name, _), values in zip(colours, mesh.colours.T, strict=True):
            vertices[name] = values
    names = {"f4": "float", "u1": "uchar"}
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}"]
    header += [f"property {names[kind]} {name}" for name, kind in columns + colours]
    count, sides = mesh.faces.shape
    if count:
        header += [f"element face {count}", "property list uchar int vertex_indices"]
    faces = np.empty(count, np.dtype([("count", "u1"), ("corners", "<i4", (sides,))]))
    faces["count"], faces["corners"] = sides, mesh.faces
    return "\n".join([*header, "end_header", ""]).encode("ascii") + vertices.tobytes() + faces.tobytes()


def _obj(mesh: MeshArrays) -> bytes:
    points = mesh.points.astype(np.float64)
    if mesh.colours is not None:  # after the coordinates, as MeshLab, Blender and others read them
        points = np.concatenate([points, mesh.colours / 255], axis=1)
    lines = ["v " + " ".join(f"{value:.7g}" for value in row) for row in points.tolist()]
    lines += [f"vt {u:.7g} {v:.7g}" for u, v in mesh.uv.tolist()]
    lines += ["f " + " ".join(f"{corner}/{corner}" for corner in face) for face in (mesh.faces + 1).tolist()]
    return ("\n".join(lines) + "\n").encode("ascii")


def _stl(mesh: MeshArrays) -> bytes:
    corners = mesh.points[mesh.triangles()].astype(np.float32)  # [T, 3, 3]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    records = np.zeros(
        len(corners), np.dtype([("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    )
    records["normal"] = normals / np.maximum(lengths, np.finfo(np.float32).tiny)
    records["corners"] = corners
    return b"Marigold depth".ljust(80) + np.uint32(len(corners)).astype("<u4").tobytes() + records.tobytes()
