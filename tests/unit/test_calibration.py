"""Scale, shift and focal length from known distances and lengths."""

import numpy as np
import pytest

from marigold_blender.errors import MarigoldError
from marigold_blender.geometry.calibration import Calibration, fit_scale_and_shift
from marigold_blender.geometry.calibration_by_lengths import MeasuredLengths, fit_to_lengths
from marigold_blender.geometry.camera import Camera
from marigold_blender.geometry.unprojection import unproject

NEAR, FAR = 2.0, 11.0
CAMERA = Camera.from_fov(400, 300, 60)


def points(count, *, noise=0.0, outliers=0.0, seed=0):
    """Depth and distance of random points; outliers are off by factors of 0.2 to 5."""
    rng = np.random.default_rng(seed)
    depth = rng.random(count)
    metric = (NEAR + depth * (FAR - NEAR)) * np.exp(rng.normal(0, noise, count) if noise else np.zeros(count))
    wrong = round(count * outliers)
    metric[:wrong] *= np.exp(rng.choice([-1, 1], wrong) * rng.uniform(0.3, 1.6, wrong))
    return depth, metric


def assert_close(found: Calibration, rel: float):
    assert (found.near, found.far) == pytest.approx((NEAR, FAR), rel=rel)


@pytest.mark.parametrize("count", [2, 3, 20, 5000])
def test_exact_points_give_the_exact_range(count):
    found = fit_scale_and_shift(*points(count))
    assert_close(found, 1e-9)
    assert found.residual < 1e-9
    assert (found.inliers, found.count, found.trust) == (count, count, "sure")


@pytest.mark.parametrize("seed", range(20))
def test_gross_errors_in_30_percent_of_20_points_do_not_count(seed):
    found = fit_scale_and_shift(*points(20, noise=0.005, outliers=0.3, seed=seed))
    assert_close(found, 0.03)
    assert 12 <= found.inliers <= 15
    assert found.confidence > 0.4


def test_it_is_deterministic():
    depth, metric = points(5000, noise=0.05, outliers=0.4)
    assert fit_scale_and_shift(depth, metric) == fit_scale_and_shift(depth, metric)


def test_noise_lowers_the_confidence():
    exact, noisy = (fit_scale_and_shift(*points(6, noise=noise, seed=3)) for noise in (0.0, 0.15))
    assert noisy.expected_error > 3 * exact.expected_error
    assert noisy.confidence < exact.confidence


def test_the_expected_error_is_true():
    errors, expected = [], []
    for seed in range(100):
        found = fit_scale_and_shift(*points(12, noise=0.05, seed=seed))
        depth = np.linspace(0, 1, 11)
        metric, true = found.near + depth * (found.far - found.near), NEAR + depth * (FAR - NEAR)
        errors.append(np.sqrt(np.mean((metric / true - 1) ** 2)))
        expected.append(found.expected_error)
    assert np.sqrt(np.mean(np.square(expected))) == pytest.approx(np.sqrt(np.mean(np.square(errors))), rel=0.35)


def test_what_is_not_finite_is_left_out():
    depth, metric = points(10)
    depth[0], metric[1], metric[2] = np.nan, np.inf, -1.0
    assert fit_scale_and_shift(depth, metric).count == 7


@pytest.mark.parametrize(
    ("depth", "metric", "sentence"),
    [
        ([], [], "Two points"),
        ([0.3], [2.0], "only one"),
        ([0.3, 0.3, 0.301], [2.0, 2.0, 2.0], "same depth"),
        ([0.2, 0.8], [5.0, 2.0], "nearer was given a larger distance"),
        ([0.5, 0.6], [1.0, 2.0], "behind the camera"),
        ([0.1, 0.2, 0.4, 0.6, 0.8, 0.9], [9.0, 1.0, 0.2, 30.0, 1.0, 9.0], "contradict"),
    ],
)
def test_points_that_do_not_determine_it_are_refused(depth, metric, sentence):
    with pytest.raises(MarigoldError, match=sentence) as refused:
        fit_scale_and_shift(np.array(depth), np.array(metric))
    assert refused.value.kind == "bad_input"


def test_near_stays_in_front_of_the_camera_when_all_points_are_far():
    rng = np.random.default_rng(0)
    depth = rng.uniform(0.6, 1, 30)
    found = fit_scale_and_shift(depth, 10 * depth * np.exp(rng.normal(0, 0.01, 30)))
    assert found.near > 0
    assert found.far == pytest.approx(10, rel=0.05)


def lengths(count, *, noise=0.0, wrong=0, seed=0) -> MeasuredLengths:
    rng = np.random.default_rng(seed)
    pixels, depth = rng.random((count, 2, 2)) * [400, 300], rng.random((count, 2))
    ends = unproject(CAMERA, pixels, NEAR + depth * (FAR - NEAR))
    length = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1) * np.exp(noise * rng.standard_normal(count))
    length[:wrong] *= 2.5
    return MeasuredLengths(pixels, depth, length)


def test_one_length_scales_and_keeps_the_rest():
    known = lengths(1)
    found = fit_to_lengths(known, CAMERA, 1.0, 4.0)
    assert found.far / found.near == pytest.approx(4.0)
    assert found.focal_px is None
    ends = unproject(CAMERA, known.pixels, found.near + known.depth * (found.far - found.near))
    assert np.linalg.norm(ends[0, 0] - ends[0, 1]) == pytest.approx(known.length[0], rel=1e-4)
    assert "ratio" in found.kept
    assert "focal" in found.kept


@pytest.mark.parametrize("seed", range(5))
def test_many_lengths_also_give_shift_and_focal_length(seed):
    wrong_camera = Camera.centred(400, 300, CAMERA.focal_px * 1.3)
    found = fit_to_lengths(lengths(10, noise=0.002, wrong=2, seed=seed), wrong_camera, 1.0, 4.0)
    assert_close(found, 0.05)
    assert found.focal_px == pytest.approx(CAMERA.focal_px, rel=0.03)
    assert found.inliers == 8


def test_lengths_side_by_side_tell_nothing_of_the_shift():
    pixels = np.array([[[100, 150], [200, 150]], [[150, 150], [250, 150]]], float)
    found = fit_to_lengths(MeasuredLengths(pixels, np.full((2, 2), 0.4), np.array([1.0, 1.0])), CAMERA, 1.0, 4.0)
    assert found.far / found.near == pytest.approx(4.0)
    assert found.trust == "unsure"


@pytest.mark.parametrize("length", [0.0, -1.0, np.nan])
def test_lengths_that_are_none_are_refused(length):
    known = lengths(2)
    with pytest.raises(MarigoldError, match="larger than zero"):
        fit_to_lengths(MeasuredLengths(known.pixels, known.depth, np.array([1.0, length])), CAMERA, 1.0, 4.0)


def test_no_lengths_are_refused():
    with pytest.raises(MarigoldError, match="needed"):
        fit_to_lengths(MeasuredLengths(np.empty((0, 2, 2)), np.empty((0, 2)), np.empty(0)), CAMERA, 1.0, 4.0)
