# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes in the record of a depth map what the map tells by itself of its shift, focal length and floor.

Called by `estimate_job`: here, and not in Blender, because it takes a second.
"""

from __future__ import annotations

from dataclasses import replace

from ...depth_files.depth_map import DepthMap
from ...geometry.self_calibration.calibrate import self_calibrate
from ...record import DepthRecord


def with_self_calibration(depth_map: DepthMap, focal_px: float | None) -> DepthRecord:
    """The record of a depth map with its self-calibration, taken from the record itself if it was found there before.

    Args:
        focal_px: what the photo's metadata say; they are no part of what the cache goes by.
    """
    kept = depth_map.record.self_calibration
    known_then = kept["focal_px"] if kept and kept["focal_origin"] == "given" else None
    if kept and known_then == focal_px:
        return depth_map.record
    found = self_calibrate(depth_map.depth, depth_map.valid, focal_px=focal_px, uncertainty=depth_map.uncertainty)
    return replace(depth_map.record, self_calibration=found.to_json())
