# SPDX-License-Identifier: GPL-3.0-or-later
"""Self-calibration of a depth file. Used by `marigold calibrate`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...depth_files.names import SUFFIXES, depth_paths
from ...depth_files.read import read_depth
from ...depth_of_field.scene_depth import SKY_M, read_values
from ...errors import MarigoldError
from ...geometry.self_calibration.calibrate import self_calibrate
from ...geometry.self_calibration.result import SelfCalibration

SMALLEST_EDGE = 16  # pixels: in less there are no planes


@dataclass(frozen=True)
class CalibrateRequest:
    """What is to be calibrated.

    Attributes:
        depth: `NAME_depth.exr`, any EXR with a Z pass or one channel, or a `.npy` [H, W]; of any range, NaN or inf
            where there is nothing.
        focal_px, principal_point: in pixels; None where they are not known.
        uncertainty: a file like `depth`; empty: `NAME_uncertainty.exr` where it stands beside the depth.
    """

    depth: str
    focal_px: float | None = None
    principal_point: tuple[float, float] | None = None
    uncertainty: str = ""


def run_calibrate(request: CalibrateRequest) -> SelfCalibration:
    """Find shift, focal length and floor of a depth file.

    A `NAME_depth.exr` with its record has its mask, its uncertainty and its photo's focal length from there.

    Raises:
        MarigoldError: a file is missing, damaged or no depth, or a number is impossible (`bad_input`).
    """
    if request.focal_px is not None and not 0 < request.focal_px < np.inf:
        raise MarigoldError("bad_input", f"The focal length must be above 0, not {request.focal_px:g}.")
    path = Path(request.depth)
    focal_px = request.focal_px
    valid = uncertainty = None
    beside = depth_paths(path.parent, path.name.removesuffix(SUFFIXES["depth"]))
    if path.name.endswith(SUFFIXES["depth"]) and beside["record"].is_file():
        depth_map = read_depth(path)
        depth, valid, uncertainty = depth_map.depth, depth_map.valid, depth_map.uncertainty
        focal_px = focal_px or depth_map.record.camera.focal_px
    else:
        depth = read_values(path)
        depth = np.where(np.abs(depth) < SKY_M, depth, np.nan)  # a Z pass holds 1e10 where nothing is
    if min(depth.shape) < SMALLEST_EDGE:
        raise MarigoldError(
            "bad_input",
            f"{path.name} is only {depth.shape[1]} x {depth.shape[0]} pixels: at least {SMALLEST_EDGE} are needed.",
        )
    if not np.isfinite(depth).any():
        raise MarigoldError("bad_input", f"{path.name} holds no depth at all: every pixel is infinite or not a number.")
    if request.uncertainty:
        uncertainty = read_values(Path(request.uncertainty))
        if uncertainty.shape != depth.shape:
            raise MarigoldError("bad_input", f"{Path(request.uncertainty).name} is not as large as {path.name}.")
    return self_calibrate(
        depth, valid, focal_px=focal_px, principal_point=request.principal_point, uncertainty=uncertainty
    )
