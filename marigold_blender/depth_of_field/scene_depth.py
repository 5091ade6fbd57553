# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the depth that a picture is to be focused by: this project's depth files, or a Z pass. Called by the worker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813 - its own manual's name for it

from ..depth_files.names import SUFFIXES
from ..depth_files.read import read_depth
from ..errors import MarigoldError
from ..record import DepthRecord

SKY_M = 1e9  # Blender writes 1e10 where nothing is
SOFT_EDGE_PX = 2.0  # how wide an edge of the estimated depth is, in pixels of the size that the network saw
Z_NAMES = ("z", "depth", "v")  # what programs call a Z pass, after the name of its layer


@dataclass(frozen=True)
class SceneDepth:
    """Depth of every pixel of a picture.

    Attributes:
        values: [H, W] float32: planar distance in metres (inf: nothing there) if `metric`, else 0 near .. 1 far.
        metric: which of the two.
        soft_edge_px: how wide edges are smeared in pixels; 0 for true depth, which has steps.
        record: how it was estimated; None for true depth.
    """

    values: np.ndarray
    metric: bool
    soft_edge_px: float
    record: DepthRecord | None


def read_scene_depth(path: Path) -> SceneDepth:
    """Read `NAME_depth.exr` (with the files beside it), an EXR with a Z pass in metres, or a `.npy` [H, W].

    A `.npy` is in metres, or 0 near .. 1 far where a record of the same name stands beside it: so Blender writes it.

    Raises:
        MarigoldError: missing, damaged, or no depth in it (`bad_input`).
    """
    path = Path(path)
    if not path.is_file():
        raise MarigoldError("bad_input", f"There is no depth file {path}.")
    beside = path.with_name(path.name.removesuffix(SUFFIXES["depth"]) + SUFFIXES["record"])
    if path.name.endswith(SUFFIXES["depth"]) and beside.is_file():
        depth_map = read_depth(path)
        return estimated_depth(depth_map.depth, depth_map.record)
    if path.suffix == ".npy" and path.with_suffix(SUFFIXES["record"]).is_file():
        record = DepthRecord.loads(path.with_suffix(SUFFIXES["record"]).read_text(encoding="utf-8"))
        return estimated_depth(_read_npy(path).clip(0.0, 1.0), record)
    distances = read_values(path)
    there = (distances > 0.0) & (distances < SKY_M)  # NaN is nowhere
    distances = np.where(there, distances, np.inf).astype(np.float32)
    if not there.any():
        raise MarigoldError("bad_input", f"{path.name} holds no distance at all: render with a Z pass.")
    return SceneDepth(distances, True, 0.0, None)


def read_values(path: Path) -> np.ndarray:
    """What a `.npy` [H, W] or an EXR with a Z pass (or with one channel) holds, [H, W], of whatever meaning.

    Raises:
        MarigoldError: missing, damaged, or no depth in it (`bad_input`).
    """
    if not path.is_file():
        raise MarigoldError("bad_input", f"There is no depth file {path}.")
    return _read_npy(path) if path.suffix == ".npy" else _read_z_pass(path)


def read_radii(path: Path, largest: float) -> np.ndarray:
    """Signed blur radii [H, W] float32 of an EXR's first channel, within ± `largest`.

    Raises:
        MarigoldError: missing, or no such file (`bad_input`).
    """
    if not path.is_file():
        raise MarigoldError("bad_input", f"There is no file {path}.")
    file = oiio.ImageInput.open(str(path))
    if file is None:
        raise MarigoldError("bad_input", f"{path.name} holds no blur radii.", details=oiio.geterror())
    spec = file.spec()
    stored = file.read_image(0, 0, 0, 1, oiio.FLOAT)
    file.close()
    if stored is None:
        raise MarigoldError("bad_input", f"{path.name} is damaged.", details=file.geterror())
    radius = np.nan_to_num(np.asarray(stored, np.float32).reshape(spec.height, spec.width))
    return radius.clip(-largest, largest)


def estimated_depth(depth: np.ndarray, record: DepthRecord) -> SceneDepth:
    """Depth [H, W] of a network, 0 near .. 1 far."""
    scale = max(record.width, record.height) / max(record.processing_size)
    return SceneDepth(depth, False, SOFT_EDGE_PX * scale, record)


def _read_npy(path: Path) -> np.ndarray:
    try:
        values = np.load(path)
    except (OSError, ValueError) as error:
        raise MarigoldError("bad_input", f"{path.name} cannot be read as depth.", details=str(error)) from error
    if values.ndim != 2 or values.dtype.kind != "f":
        raise MarigoldError("bad_input", f"{path.name} is no depth: it must hold one floating-point number a pixel.")
    return values


def _read_z_pass(path: Path) -> np.ndarray:
    """The Z pass of an EXR, whatever its layer, or its only channel."""
    file = oiio.ImageInput.open(str(path))
    if file is None:
        raise MarigoldError("bad_input", f"{path.name} is no depth file that can be read.", details=oiio.geterror())
    try:
        part = 0
        while file.seek_subimage(part, 0):
            spec = file.spec()
            channel = _z_channel(list(spec.channelnames))
            if channel is not None and str(spec.format) in ("half", "float", "double"):
                stored = file.read_image(part, 0, channel, channel + 1, oiio.FLOAT)
                if stored is None:
                    raise MarigoldError("bad_input", f"{path.name} is damaged.", details=file.geterror())
                return np.asarray(stored, np.float32).reshape(spec.height, spec.width)
            part += 1
        file.geterror()
    finally:
        file.close()
    raise MarigoldError("bad_input", f"{path.name} has no Z pass: give a {SUFFIXES['depth']} file, or an EXR with one.")


def _z_channel(names: list[str]) -> int | None:
    if len(names) == 1:
        return 0
    for index, name in enumerate(names):
        *layers, last = name.lower().split(".")
        if last in Z_NAMES[:2] or (last == Z_NAMES[2] and layers and layers[-1] == "depth"):
            return index
    return None
