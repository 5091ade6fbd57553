# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a depth map to a folder: EXR, mask, uncertainty, pictures to look at and the record. Called by the worker."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import MarigoldError
from ..record import DepthRecord
from .depth_map import DepthMap
from .exr import write_exr
from .names import depth_paths, safe_stem
from .replacing import replacing
from .spectral import spectral

INVALID_DEPTH = 1.0
PREVIEW_EDGE = 2048  # a preview is for a panel or a page


def write_depth(depth_map: DepthMap, folder: Path, name: str) -> dict[str, Path]:
    """Write all files of a depth map; either all of them appear, or none and older ones stay as they are.

    Args:
        name: their stem, see `names.safe_stem`.

    Returns:
        The paths of depth, depth_png, preview and record, of mask where pixels are invalid, and of uncertainty where
        there is an ensemble. What an earlier result of the same name has beyond these is removed.

    Raises:
        MarigoldError: the folder cannot be written to (`cannot_write`) or the name is no file name (`bad_input`).
    """
    _check_name(name)
    depth, valid = _checked(depth_map)
    paths = depth_paths(folder, name)
    with replacing(folder) as files:
        write_exr(depth, files.new(paths["depth"]))
        if valid is None:
            files.gone(paths.pop("mask"))
        else:
            mask = np.where(valid, 255, 0).astype(np.uint8)
            Image.fromarray(mask).save(files.new(paths["mask"]), format="PNG")
        if depth_map.uncertainty is None:
            files.gone(paths.pop("uncertainty"))
        else:
            write_exr(_where_valid(depth_map.uncertainty, valid, 0.0), files.new(paths["uncertainty"]))
        sixteen_bit = (depth * 65535.0).round().astype(np.uint16)
        Image.fromarray(sixteen_bit).save(files.new(paths["depth_png"]), format="PNG", compress_level=3)
        _preview(depth, valid).save(files.new(paths["preview"]), format="PNG")
        # Last, so that a record never stands beside files that are older than itself.
        files.new(paths["record"]).write_text(depth_map.record.dumps(), encoding="utf-8")
    return paths


def copy_depth(kept: Mapping[str, Path], record: DepthRecord, folder: Path, name: str) -> dict[str, Path]:
    """Copy the files of a depth map that was written before, under another name and with another record.

    Args, returns and raises as `write_depth`; `kept` is what that returned.
    """
    _check_name(name)
    paths = depth_paths(folder, name)
    with replacing(folder) as files:
        for part in paths.keys() - {"record"}:
            if part in kept:
                shutil.copyfile(kept[part], files.new(paths[part]))
            else:
                files.gone(paths.pop(part))
        files.new(paths["record"]).write_text(record.dumps(), encoding="utf-8")
    return paths


def _check_name(name: str) -> None:
    if safe_stem(name) != name:
        raise MarigoldError("bad_input", f"“{name}” cannot be the name of a file: use letters, digits, - and _.")


def _checked(depth_map: DepthMap) -> tuple[np.ndarray, np.ndarray | None]:
    """Depth with 1 in invalid pixels, and the mask unless all is valid."""
    valid = None if depth_map.valid is None or depth_map.valid.all() else depth_map.valid
    depth = _where_valid(depth_map.depth, valid, INVALID_DEPTH)
    # Written so that NaN fails as well.
    if not (depth.min() >= 0.0 and depth.max() <= 1.0):
        raise ValueError("depth must be finite and in [0, 1]")
    return depth, valid


def _where_valid(values: np.ndarray, valid: np.ndarray | None, otherwise: float) -> np.ndarray:
    values = np.asarray(values, np.float32)
    return values if valid is None else np.where(valid, values, np.float32(otherwise))


def _preview(depth: np.ndarray, valid: np.ndarray | None) -> Image.Image:
    step = -(-max(depth.shape) // PREVIEW_EDGE)
    return Image.fromarray(spectral(depth[::step, ::step], None if valid is None else valid[::step, ::step]))
