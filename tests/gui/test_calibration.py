"""What an artist does: click on two points of the photo, enter how far they are, calibrate."""

from pathlib import Path

import pytest
import sklearn.datasets

CHINA = Path(sklearn.datasets.__file__).parent / "images" / "china.jpg"


def test_two_points_by_the_eyedropper_calibrate_the_depth(blender):
    report = blender.drive("calibration_steps.py", CHINA, timeout_s=240)
    assert [pytest.approx(place, abs=0.05) for place in report["picked"]] == [(0.5, 0.1), (0.3, 0.9)]
    near, far = report["calibrated"]
    assert 1.0 < near < 2.0
    assert far == pytest.approx(9.0, rel=0.05)  # the wall is the farthest
    assert report["undone"] == [1.0, 4.0, "ASSUMED", 2]  # one step; the points stay
    assert len(report["draws"]) > 3
    assert sorted(report["draws"])[len(report["draws"]) // 2] < 0.001
