"""What an artist does: add depth of field, choose Best, click on what shall be sharp, and watch it change."""

from pathlib import Path

import pytest
import sklearn.datasets

CHINA = Path(sklearn.datasets.__file__).parent / "images" / "china.jpg"


def test_a_click_on_the_picture_focuses_it(blender):
    report = blender.drive("focus_steps.py", CHINA, timeout_s=600)
    assert report["failures"] == []
    near, far = report["picked"]["near"], report["picked"]["far"]
    assert near["focus"] < 0.4 < 0.6 < far["focus"]
    assert near["detail_near"] > 1.3 * far["detail_near"]
    view = report["camera_view"]
    assert view["focus_before"] < 0.4 < 0.6 < view["focus"]
    assert view["camera_distance"] == pytest.approx(view["distance"])
    assert view["camera_uses_it"]
