# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics against values worked out by hand, and `marigold evaluate` on a small data set."""

import json
import subprocess
import sys

import numpy as np
import pytest

from marigold_blender.training.evaluate import sky_share
from marigold_blender.training.metrics import boundary_f1, constant_baseline, depth_metrics, ramp_baseline
from marigold_blender.training.scene_files import write_view

EVERYWHERE = np.ones((20, 30), bool)


def steps() -> np.ndarray:
    """A near box (2 m) before a far wall (4 m)."""
    depth = np.full((20, 30), 4.0)
    depth[5:15, 10:20] = 2.0
    return depth


def test_a_prediction_that_is_right_up_to_scale_and_shift_is_perfect():
    metrics = depth_metrics(steps() * 0.1 + 0.3, steps(), EVERYWHERE)
    assert metrics["abs_rel"] == pytest.approx(0, abs=1e-9)
    assert metrics["delta1"] == 1
    assert metrics["range_error"] == pytest.approx(0, abs=1e-9)
    assert metrics["boundary_f1"] == pytest.approx(1)


def test_a_constant_is_as_bad_as_arithmetic_says():
    truth = np.repeat([[1.0], [3.0]], 10, 1)
    valid = np.ones_like(truth, bool)
    metrics = depth_metrics(constant_baseline(truth, valid), truth, valid)
    assert metrics["abs_rel"] == pytest.approx((1 / 1 + 1 / 3) / 2)
    assert metrics["rmse"] == pytest.approx(1)
    assert metrics["range_error"] == pytest.approx(0.5)
    assert metrics["delta1"] == 0
    assert metrics["delta2"] == pytest.approx(0.5)  # 3/2 = 1.5 < 1.5625


def test_the_ramp_fits_open_ground():
    truth = np.repeat(np.linspace(9, 3, 20)[:, None], 30, 1)
    assert depth_metrics(ramp_baseline(truth, EVERYWHERE), truth, EVERYWHERE)["abs_rel"] == pytest.approx(0, abs=1e-9)


def test_the_fit_is_clipped_to_the_valid_truth():
    truth = np.linspace(1, 2, 600).reshape(20, 30)
    wild = truth.copy()
    wild[0, 0] = 1e4
    assert depth_metrics(wild, truth, EVERYWHERE)["range_error"] <= 1


def test_boundaries_a_pixel_off_score_less_than_boundaries_in_place():
    shifted = np.roll(steps(), 1, 1)
    assert boundary_f1(steps(), steps()) == pytest.approx(1)
    assert 0.2 < boundary_f1(shifted, steps()) < 0.8
    assert boundary_f1(np.full((20, 30), 3.0), steps()) == 0


def test_evaluate_prints_one_json_object(tmp_path):
    for folder in ("rgb", "depth", "normals", "meta"):
        (tmp_path / folder).mkdir()
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        depth = np.repeat(np.linspace(9, 3, 48, dtype=np.float32)[:, None], 64, 1)
        depth[:6] = np.inf
        rgb = rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)
        write_view(tmp_path, name, rgb, depth, np.zeros((48, 64, 3), np.float32), {})
    command = [sys.executable, "-m", "marigold_blender.training", "evaluate", str(tmp_path), "--json", "--steps", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    assert result["images"] == 2
    assert [row["name"] for row in result["per_image"]] == ["a", "b"]
    assert result["baselines"]["ramp"]["abs_rel"] == pytest.approx(0, abs=1e-5)
    assert 0 < result["abs_rel"] <= 1
    assert 0 <= result["near_end"] < result["far_end"] <= 1
    assert result["near_end"] == pytest.approx(np.mean([row["near_end"] for row in result["per_image"]]))
    assert result["sky_far"] == pytest.approx(np.mean([row["sky_far"] for row in result["per_image"]]))  # alike in size


def test_sky_counts_by_its_pixels():
    rows = [
        {"sky_far": 1.0, "sky_pixels": 300},
        {"sky_far": 0.0, "sky_pixels": 100},
        {"sky_far": None, "sky_pixels": 0},
    ]
    assert sky_share(rows) == pytest.approx(0.75)
    assert sky_share(rows[2:]) is None
