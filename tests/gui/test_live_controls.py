"""Live controls in a real window: see `live_controls_steps`."""

import pytest


def test_a_live_mesh_is_baked_and_brought_back_by_one_undo(blender):
    report = blender.drive("live_controls_steps.py")
    assert report["live"] == ["Live Depth"]
    assert report["baked"] == []
    assert report["far_after_baking"] == pytest.approx(6.0)
    assert report["undone"] == ["Live Depth"]
