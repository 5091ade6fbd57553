"""Self-calibration on scenes of planes whose shift, focal length and floor are known exactly."""

import json

import numpy as np
import pytest

from marigold_blender.geometry.self_calibration.calibrate import self_calibrate
from marigold_blender.geometry.self_calibration.result import FoundPlane, SelfCalibration
from tests.unit.plane_scenes import HEIGHT, WIDTH, corner, ground, wall


@pytest.fixture(scope="module")
def of_corner() -> SelfCalibration:
    """What is found in a corner of near 1, far - near 4."""
    return self_calibrate(corner().affine(4.0, 1.0))


def smooth(values: np.ndarray, reach: float) -> np.ndarray:
    """Gaussian blur by Fourier transform (the picture goes on from its other side)."""
    down, across = np.fft.fftfreq(values.shape[0])[:, None], np.fft.fftfreq(values.shape[1])[None]
    kernel = np.exp(-2 * (np.pi * reach) ** 2 * (down**2 + across**2))
    return np.fft.ifft2(np.fft.fft2(values) * kernel).real


@pytest.mark.parametrize(("scale", "shift"), [(3.0, 1.0), (0.02, 1.4)])
def test_shift_of_any_range(scale, shift):
    scene = corner()
    found = self_calibrate(scene.affine(scale, shift))
    assert found.sure
    assert found.shift_over_scale == pytest.approx(shift / scale, rel=0.01, abs=1e-3)


@pytest.mark.parametrize("focal_px", [90.0, 260.0])
def test_focal_length_from_right_angles(focal_px):
    found = self_calibrate(corner(focal_px).affine(4.0, 1.0))
    assert found.focal_origin == "right angles"
    assert found.focal_px == pytest.approx(focal_px, rel=0.02)


def test_floor_at_its_distance_and_tilt(of_corner):
    assert of_corner.floor is not None
    assert np.degrees(np.arccos(np.dot(of_corner.floor.normal, corner().floor))) < 0.5
    assert -of_corner.floor.offset * 4.0 == pytest.approx(1.5, rel=0.01)


def test_eye_height_gives_the_size(of_corner):
    assert of_corner.near_and_far() == pytest.approx((1.0 * 1.6 / 1.5, 5.0 * 1.6 / 1.5), rel=0.02)


def test_a_given_focal_length_stays():
    scene = ground()
    found = self_calibrate(scene.affine(4.0, 1.0), focal_px=150.0)
    assert (found.focal_px, found.focal_origin, found.focal_confidence) == (150.0, "given", 1.0)
    assert found.floor is not None
    assert np.degrees(np.arccos(np.dot(found.floor.normal, scene.floor))) < 0.5


def test_a_cropped_photo_has_its_principal_point():
    scene = corner()
    cropped = scene.affine(4.0, 1.0)[:90, 30:]
    found = self_calibrate(cropped, principal_point=(WIDTH / 2 - 30, HEIGHT / 2))
    assert found.focal_px == pytest.approx(scene.focal_px, rel=0.02)


def test_without_right_angles_the_focal_length_is_the_default():
    found = self_calibrate(ground(pitch_deg=0.0).affine(4.0, 1.0))
    assert found.sure
    assert found.focal_origin == "default"


@pytest.mark.parametrize(
    "depth",
    [
        wall().affine(2.0, 3.0),
        np.zeros((HEIGHT, WIDTH), np.float32),
        np.random.default_rng(0).random((HEIGHT, WIDTH), np.float32),
        np.full((HEIGHT, WIDTH), np.nan, np.float32),
    ],
    ids=["bumps", "flat", "random", "nothing"],
)
def test_unsure_where_no_plane_tells(depth):
    found = self_calibrate(depth)
    assert not found.sure
    assert found.floor is None
    assert found.confidence < 0.5


def test_pixels_that_do_not_count():
    scene = corner()
    depth = scene.affine(4.0, 1.0)
    valid = np.ones(depth.shape, bool)
    valid[:, 90:] = False
    depth[:, 90:] = np.random.default_rng(0).random((HEIGHT, WIDTH - 90))
    depth[:20] = np.nan
    found = self_calibrate(depth, valid)
    assert found.shift_over_scale == pytest.approx(0.25, rel=0.02)


def test_the_ends_that_quantiles_flattened():
    depth = corner().affine(4.0, 1.0)
    low, high = np.quantile(depth, [0.02, 0.98])
    clipped = (np.clip(depth, low, high) - low) / (high - low)
    found = self_calibrate(clipped.astype(np.float32))
    assert found.shift_over_scale == pytest.approx((0.25 + low) / (high - low), rel=0.02)


@pytest.mark.parametrize("seed", range(2))
def test_smooth_noise_and_blur(seed):
    depth = corner().affine(4.0, 1.0)
    noise = smooth(np.random.default_rng(seed).normal(size=depth.shape), 6.0)
    span = depth.max() - depth.min()
    found = self_calibrate((smooth(depth, 1.0) + 0.005 * span * noise / noise.std()).astype(np.float32))
    assert found.shift_over_scale == pytest.approx(0.25, rel=0.15)


def test_uncertain_pixels_count_less():
    depth = corner().affine(4.0, 1.0)
    uncertainty = np.full(depth.shape, 0.001, np.float32)
    # Half of the picture is bent by 3 % of the range: enough to draw the shift away, unless it is known as uncertain.
    bend = 0.03 * np.sin(np.arange(WIDTH) / 12.0)[None, :] * np.ones((HEIGHT, 1))
    bent = depth.copy()
    bent[:, : WIDTH // 2] += bend[:, : WIDTH // 2].astype(np.float32)
    uncertainty[:, : WIDTH // 2] = 0.5
    found = self_calibrate(bent, uncertainty=uncertainty)
    assert found.shift_over_scale == pytest.approx(0.25, rel=0.02)


def test_the_same_depth_gives_the_same_result(of_corner):
    assert self_calibrate(corner().affine(4.0, 1.0)) == of_corner


def test_json_and_back(of_corner):
    assert SelfCalibration.from_json(json.loads(json.dumps(of_corner.to_json()))) == of_corner


def test_a_plane_turns_with_the_focal_length():
    longer = FoundPlane((0.0, 0.6, 0.8), -1.0, 0.5).with_focal(2.0)
    assert longer.normal == pytest.approx((0.0, 1.2 / np.hypot(1.2, 0.8), 0.8 / np.hypot(1.2, 0.8)))
    assert longer.offset == pytest.approx(-1.0 / np.hypot(1.2, 0.8))
