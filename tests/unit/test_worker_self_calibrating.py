"""The worker notes self-calibration in the record of every depth, and takes it from there when it stands there."""

import numpy as np

from marigold_blender.depth_files.depth_map import DepthMap
from marigold_blender.geometry.self_calibration.result import SelfCalibration
from marigold_blender.record import DepthRecord
from marigold_blender.worker.server.self_calibrating import with_self_calibration
from tests.unit.plane_scenes import HEIGHT, WIDTH, corner


def test_it_is_found_once_and_again_only_for_another_focal_length():
    depth = corner().affine(4.0, 1.0)
    depth = (depth - depth.min()) / (depth.max() - depth.min())
    size = (WIDTH, HEIGHT)
    old = DepthRecord("corner", *size, "demo", "", {}, size, "corner.png", "")
    record = with_self_calibration(DepthMap(depth, None, None, old), None)
    found = SelfCalibration.from_json(record.self_calibration)
    assert found.sure
    assert found.focal_origin == "right angles"
    assert DepthRecord.loads(record.dumps()) == record

    # Kept with the depth: other depth beside it would be calibrated otherwise, so nothing is computed here.
    other = DepthMap(np.zeros_like(depth), None, None, record)
    assert with_self_calibration(other, None) is record
    assert with_self_calibration(DepthMap(depth, None, None, record), 150.0).self_calibration["focal_origin"] == "given"
