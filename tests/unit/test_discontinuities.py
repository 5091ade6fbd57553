"""Where a mesh is cut: on scenes whose depth is known in closed form."""

import numpy as np
import pytest

from marigold_blender.geometry.camera import Camera
from marigold_blender.geometry.discontinuities import Discontinuities, find_discontinuities
from marigold_blender.geometry.sampling import MaskedMap, sample_lattice

WIDTH, HEIGHT = 192, 144
CAMERA = Camera.from_fov(WIDTH, HEIGHT)
Y, X = np.mgrid[:HEIGHT, :WIDTH] + 0.5


def jumps_of(metric, near=None, far=None, threshold=0.04, size=(WIDTH, HEIGHT)) -> Discontinuities:
    """The jumps of metric depth, which is first brought to 0..1 as a network gives it."""
    near, far = near or metric.min(), far or metric.max()
    depth = ((metric - near) / (far - near)).astype(np.float32)
    return find_discontinuities(MaskedMap(depth, None), size, near, far, threshold)


def count(jumps):
    return np.count_nonzero(jumps.across) + np.count_nonzero(jumps.down)


def step(behind=4.0, front=2.0):
    return np.where(X < 80, front, behind)


def ground(height=1.6, horizon=HEIGHT * 0.3, sky=1e4):
    """Level ground up to the horizon, where its depth grows without bound, and a far backdrop above."""
    below = np.maximum(Y - horizon, 1e-9)
    return np.minimum(CAMERA.focal_px * height / below, sky)


def sphere(radius=1.0, distance=3.0, behind=6.0):
    """A ball before a wall."""
    ray = np.stack([(X - CAMERA.cx) / CAMERA.focal_px, (Y - CAMERA.cy) / CAMERA.focal_px, np.ones_like(X)], -1)
    a, b = (ray**2).sum(-1), distance
    root = b**2 - a * (distance**2 - radius**2)
    return np.where(root > 0, (b - np.sqrt(np.maximum(root, 0))) / a, behind), root > 0


def test_a_step_is_cut_once_along_its_whole_edge():
    jumps = jumps_of(step())
    assert jumps.across[:, 79].all()
    assert count(jumps) == HEIGHT


@pytest.mark.parametrize(("relative_step", "is_cut"), [(0.05, True), (0.03, False)])
def test_the_threshold_is_a_share_of_disparity(relative_step, is_cut):
    jumps = jumps_of(1 / np.where(X < 80, 1.0, 1 - relative_step))
    assert (count(jumps) > 0) == is_cut


@pytest.mark.parametrize("scale", [1e-3, 1 / 3, 7.7, 1e4])
def test_the_scale_of_the_scene_does_not_count(scale):
    metric = np.minimum(np.minimum(sphere()[0], step(5, 2.5)), ground())
    ours, scaled = jumps_of(metric), jumps_of(metric * scale)
    assert count(ours) > 0
    assert np.array_equal(ours.across, scaled.across)
    assert np.array_equal(ours.down, scaled.down)


def test_level_ground_up_to_the_horizon_loses_nothing():
    assert count(jumps_of(ground())) == 0


@pytest.mark.parametrize("seed", range(20))
def test_no_tilted_plane_loses_anything(seed):
    a, b, c = np.random.default_rng(seed).normal(size=3)
    disparity = a * X / WIDTH + b * Y / HEIGHT + c
    disparity -= disparity.min()
    assert count(jumps_of(1 / (disparity + 1e-3 * disparity.max()))) == 0  # a thousand times as far as it is near


def test_a_sphere_is_cut_around_and_not_inside():
    metric, inside = sphere()
    jumps = jumps_of(metric)
    outline_across, outline_down = inside[:, 1:] != inside[:, :-1], inside[1:] != inside[:-1]
    assert jumps.across[outline_across].all()
    assert jumps.down[outline_down].all()
    within = np.hypot(X - CAMERA.cx, Y - CAMERA.cy) < 0.97 * np.hypot(X - CAMERA.cx, Y - CAMERA.cy)[inside].max()
    assert not jumps.across[within[:, 1:] & within[:, :-1]].any()
    assert not jumps.down[within[1:] & within[:-1]].any()
    outside = ~inside
    assert not jumps.across[outside[:, 1:] & outside[:, :-1]].any()


def test_a_ridge_and_a_valley_are_not_jumps():
    fold = 1 / (1 + 0.02 * abs(X - 96))
    assert count(jumps_of(fold)) == 0
    assert count(jumps_of(1 / (3 - 0.02 * abs(X - 96)))) == 0


@pytest.mark.parametrize("thickness", [1, 2, 5])
def test_a_thin_foreground_is_cut_on_both_sides(thickness):
    jumps = jumps_of(np.where(abs(X - 60 - thickness / 2) < thickness / 2, 1.0, 3.0))
    assert jumps.across[:, 59].all()
    assert jumps.across[:, 59 + thickness].all()
    assert count(jumps) == 2 * HEIGHT


@pytest.mark.parametrize("width", [2, 3])
def test_a_smeared_step_is_still_a_jump(width):
    """The network's decoder gives an edge one or two pixels between its sides."""
    disparity = 1 - 0.5 * np.clip((X - 80) / width, 0, 1)
    assert jumps_of(1 / disparity).across[:, 79:84].any(axis=1).all()


def test_a_jump_at_the_frame_is_found():
    jumps = jumps_of(np.where(X < 1, 1.0, 3.0))
    assert jumps.across[:, 0].all()
    assert count(jumps) == HEIGHT


@pytest.mark.parametrize("factor", [1.3, 2, 4.6])
def test_resampling_the_depth_map_changes_little(factor):
    """What the network saw decides, however large the photo is."""
    metric = np.minimum(sphere()[0], step(5, 2.5))
    near, far = metric.min(), metric.max()
    depth = ((metric - near) / (far - near)).astype(np.float32)
    width, height = round(WIDTH * factor), round(HEIGHT * factor)
    large = sample_lattice(depth, (np.arange(width) + 0.5) * WIDTH / width, (np.arange(height) + 0.5) * HEIGHT / height)
    ours = find_discontinuities(MaskedMap(depth, None), (WIDTH, HEIGHT), near, far)
    resampled = find_discontinuities(MaskedMap(large, None), (WIDTH, HEIGHT), near, far)
    assert resampled.across[ours.across].mean() > 0.97
    assert (
        count(ours) <= count(resampled) < 3 * count(ours)
    )  # the blur of resampling makes a ramp of up to three pixels


def test_threshold_zero_cuts_nothing():
    assert count(jumps_of(step(), threshold=0)) == 0


def test_noise_as_a_network_leaves_it_is_no_jump():
    noisy = ground(sky=20) * (1 + np.random.default_rng(0).normal(scale=2e-3, size=X.shape))
    assert count(jumps_of(noisy)) == 0
