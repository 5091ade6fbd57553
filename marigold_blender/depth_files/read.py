# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a depth map that `write` wrote. Called by the worker and the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import MarigoldError
from ..record import DepthRecord
from .depth_map import DepthMap
from .exr import read_exr
from .names import SUFFIXES, depth_paths


def read_depth(path: Path) -> DepthMap:
    """The depth map of which `path` is the `NAME_depth.exr`, with the files beside it.

    Raises:
        MarigoldError: a file is missing or damaged, or is no depth of this project (`bad_input`).
    """
    path = Path(path)
    if not path.name.endswith(SUFFIXES["depth"]):
        raise MarigoldError(
            "bad_input", f"{path.name} is not a depth file: choose a file called NAME{SUFFIXES['depth']}."
        )
    paths = depth_paths(path.parent, path.name.removesuffix(SUFFIXES["depth"]))
    try:
        record = DepthRecord.loads(paths["record"].read_text(encoding="utf-8"))
        depth_map = DepthMap(
            depth=read_exr(path),
            valid=_read_mask(paths["mask"]) if paths["mask"].exists() else None,
            uncertainty=read_exr(paths["uncertainty"]) if paths["uncertainty"].exists() else None,
            record=record,
        )
    except FileNotFoundError as error:
        raise MarigoldError(
            "bad_input", f"{error.filename} is missing: keep all files of a depth map together, or estimate it again."
        ) from error
    except (OSError, ValueError, KeyError, TypeError, SyntaxError) as error:
        raise MarigoldError(
            "bad_input", f"{path} or a file beside it is damaged: estimate the depth again.", details=str(error)
        ) from error
    _check(path, depth_map)
    return depth_map


def _read_mask(path: Path) -> np.ndarray:
    with Image.open(path, formats=("PNG",)) as image:
        return np.asarray(image.convert("L")) >= 128


def _check(path: Path, depth_map: DepthMap) -> None:
    shape = (depth_map.record.height, depth_map.record.width)
    maps = [array for array in (depth_map.depth, depth_map.valid, depth_map.uncertainty) if array is not None]
    if any(array.shape != shape for array in maps):
        raise MarigoldError("bad_input", f"{path} and the files beside it differ in size: estimate the depth again.")
    if not (depth_map.depth.min() >= 0.0 and depth_map.depth.max() <= 1.0):
        raise MarigoldError("bad_input", f"{path} holds values outside of 0 to 1: estimate the depth again.")
