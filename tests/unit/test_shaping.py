"""The depth curve and the smoothing of the live controls, and the cells and points that jumps take along."""

import numpy as np
import pytest

from marigold_blender.geometry.discontinuities import Discontinuities
from marigold_blender.geometry.live_cells import cells_at_jumps, invalid_cells, jump_area
from marigold_blender.geometry.points import point_grid
from marigold_blender.geometry.shaping import shape_depth

SIZE = (64, 48)
Y, X = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float32) + 0.5
NEAR, FAR = 1.0, 5.0


def plane() -> np.ndarray:
    disparity = 1 - 0.6 * X / SIZE[0] - 0.1 * Y / SIZE[1]
    return ((1 / disparity - 1) / (FAR / NEAR - 1)).astype(np.float32)


def shaped(depth, valid=None, **controls) -> np.ndarray:
    return shape_depth(depth, valid, SIZE, NEAR, FAR, **controls)


def test_without_controls_the_depth_stays_as_it_is():
    depth = plane()
    assert shaped(depth) is depth


def test_the_curve_is_an_exponent():
    assert shaped(plane(), curve=1.8) == pytest.approx(plane() ** 1.8, abs=1e-6)


@pytest.mark.parametrize("smoothing", [0.7, 2.0])
def test_planes_stay_planes(smoothing):
    inside = (slice(3, -3), slice(3, -3))  # beyond the frame there are no neighbours on the other side
    assert shaped(plane(), smoothing=smoothing)[inside] == pytest.approx(
        plane()[inside], abs=1e-4
    )  # depth is linear between pixels


def test_noise_goes_and_an_edge_stays():
    clean = np.where(X < 30, 0.2, 0.7).astype(np.float32)
    noisy = (clean + np.random.default_rng(0).normal(0, 0.004, clean.shape)).astype(np.float32)
    smooth = shaped(noisy, smoothing=1.0)
    assert np.abs(smooth - clean).mean() < 0.55 * np.abs(noisy - clean).mean()
    assert np.abs(smooth - clean).max() < 0.02


def test_invalid_neighbours_do_not_count():
    valid = X < 40
    depth = np.where(valid, 0.9, 1.0).astype(np.float32)  # near enough to count if it were valid
    smooth = shaped(depth, valid, smoothing=2.0)
    assert smooth[valid] == pytest.approx(0.9, abs=1e-6)
    assert (smooth[~valid] == 1).all()


def jumps_at(across=(), down=(), columns=8, rows=6) -> Discontinuities:
    found = Discontinuities(np.zeros((rows, columns - 1), bool), np.zeros((rows - 1, columns), bool))
    for row, column in across:
        found.across[row, column] = True
    for row, column in down:
        found.down[row, column] = True
    return found


def test_a_jump_covers_the_ramp_between_two_pixels():
    area = jump_area(jumps_at(across=[(2, 3)]))
    expected = np.zeros((12, 16), bool)
    expected[4:6, 7:9] = True
    assert np.array_equal(area, expected)


def test_at_a_corner_all_four_pixels_take_part():
    area = jump_area(jumps_at(across=[(2, 3)], down=[(2, 3)]))
    assert area[5:7, 7:9].all()
    assert not area[:4].any()


@pytest.mark.parametrize(("columns", "rows", "cut"), [(3, 3, 2), (9, 7, 2), (17, 13, 4)])
def test_every_cell_goes_that_a_jump_touches(columns, rows, cut):
    """The ramp of one jump is a square of one pixel, on the border between two pixels."""
    assert cells_at_jumps(jumps_at(across=[(2, 3)]), columns, rows).sum() == cut


def test_cells_with_invalid_pixels_go():
    valid = np.ones((48, 64), bool)
    assert not invalid_cells(None, (8, 6), 9, 7).any()
    assert not invalid_cells(valid, (8, 6), 9, 7).any()
    valid[20, 30] = False
    assert invalid_cells(valid, (8, 6), 9, 7).sum() == 1


def test_points_lie_on_the_depth_and_not_on_ramps():
    depth = np.where(X < 30, 0.1, 0.7).astype(np.float32)
    points = point_grid(depth, None, SIZE, NEAR, FAR, 20_000)
    assert 17_000 < len(points.depth) < 20_500
    assert set(np.unique(points.depth).tolist()) == {np.float32(0.1), np.float32(0.7)}
    assert ((points.uv[:, 0] * SIZE[0] < 30) == (points.depth < 0.5)).all()
