"""From a fresh user folder to the mesh in the real window: no terminal, no restart."""

import sys
from pathlib import Path

import sklearn.datasets

from tests.local_hub import LocalHub, published_models

CHINA = Path(sklearn.datasets.__file__).parent / "images" / "china.jpg"


def test_three_steps_from_nothing_to_a_mesh(fresh_blender):
    with LocalHub(published_models()) as hub:
        fresh_blender.environment["HF_ENDPOINT"] = hub.endpoint
        report = fresh_blender.drive("first_start_steps.py", CHINA, sys.prefix, sys.executable, timeout_s=600)

    assert "raised" not in report
    assert report["failures"] == []
    assert report["made"] == "china"
    assert report["estimated_with"] == "marigold-depth-v1-1"
    assert report["guide_is_over"]
