"""A depth map taken apart: ramps snapped to one side, islands and uncertain pixels left out, the sky found."""

from dataclasses import replace

import numpy as np
import pytest

from marigold_blender.geometry.camera import Camera
from marigold_blender.geometry.discontinuities import Discontinuities, find_discontinuities, trace_edges
from marigold_blender.geometry.grid import mesh_of_surfaces
from marigold_blender.geometry.islands import area_sizes, label_areas
from marigold_blender.geometry.sampling import MaskedMap
from marigold_blender.geometry.sky import DOME_RADIUS, find_sky
from marigold_blender.geometry.surfaces import EdgeOptions, find_surfaces
from marigold_blender.geometry.unprojection import metric_depth, unproject
from marigold_blender.training.depth_range import normalise_depth

WIDTH, HEIGHT = 160, 120
Y, X = np.mgrid[:HEIGHT, :WIDTH] + 0.5
NEAR, FAR = 1.0, 4.0
BOX = (abs(X - 60) < 20) & (abs(Y - 70) < 25)


def surfaces_of(depth, **options):
    chosen = replace(EdgeOptions(sky="KEEP", least_island=0.0), **options)
    return find_surfaces(MaskedMap(depth.astype(np.float32), None), (WIDTH, HEIGHT), NEAR, FAR, chosen)


def blurred(depth, width):
    """A box filter along both directions, as wide as a decoder smears."""
    for axis in (0, 1):
        padded = np.pad(depth, [(width, width) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        total = np.cumsum(padded, axis=axis)
        low, high = np.arange(depth.shape[axis]) + width // 2, np.arange(depth.shape[axis]) + width // 2 + width
        depth = (np.take(total, high, axis) - np.take(total, low, axis)) / width
    return depth


@pytest.mark.parametrize("width", [1, 2, 3])
def test_a_smeared_edge_becomes_one_clean_step(width):
    """No pixel hangs between box and wall, and the step is where the middle of the ramp was, give or take a pixel."""
    found = surfaces_of(blurred(np.where(BOX, 0.2, 0.8), width))
    corner = np.hypot(abs(X - 60) - 20, abs(Y - 70) - 25) < 2 * width  # two ramps cross there
    between = (abs(found.depth - 0.2) > 0.02) & (abs(found.depth - 0.8) > 0.02)
    assert not between[~corner].any()
    assert abs((found.depth < 0.5).sum() - BOX.sum()) <= 2 * (40 + 50)
    middle = found.jumps.across[60:80]
    assert (middle.sum(axis=1) == 2).all()


def test_a_clean_step_is_left_as_it_is():
    depth = np.where(BOX, 0.2, 0.8).astype(np.float32)
    found = surfaces_of(depth)
    assert np.array_equal(found.depth, depth)
    assert not found.remade.any()


def test_slopes_and_folds_are_left_as_they_are():
    depth = np.clip(0.2 + 0.01 * abs(X - 80), 0, 1).astype(np.float32)
    assert not surfaces_of(depth).remade.any()


def test_a_long_ramp_is_a_surface():
    """Ten pixels from here to there: a wall seen at a glance, which no decoder smears."""
    disparity = 1 - 0.06 * np.clip(X - 70, 0, 10)
    assert not surfaces_of((1 / disparity - 1) / 3, threshold=0.01).remade.any()


def test_weak_jumps_count_where_they_go_on_from_strong_ones():
    strong = Discontinuities(np.zeros((4, 5), bool), np.zeros((3, 6), bool))
    weak = Discontinuities(np.ones((4, 5), bool) * [[False, False, True, False, False]], np.zeros((3, 6), bool))
    assert trace_edges(strong, weak).count == 0
    strong.across[0, 2] = True
    assert np.array_equal(trace_edges(strong, weak).across, weak.across)


def test_an_edge_that_fades_is_cut_to_below_the_threshold():
    """The gap shrinks along the edge; the cut goes on until half the threshold."""
    gap = 0.06 * (1 - Y / HEIGHT)
    depth = (1 / np.where(X < 80, 1, 1 - gap) - 1) / 3
    plain = find_discontinuities(MaskedMap(depth.astype(np.float32), None), (WIDTH, HEIGHT), NEAR, FAR, 0.02)
    found = surfaces_of(depth, threshold=0.02)
    assert gap[plain.across[:, 79], 0].min() == pytest.approx(0.02, abs=0.001)
    assert gap[found.jumps.across[:, 79], 0].min() == pytest.approx(0.01, abs=0.001)


def labels_by_flooding(kept, jumps):
    """The plainest way: one area after the other, pixel by pixel."""
    labels = np.full(kept.shape, -1)
    for start in zip(*np.nonzero(kept), strict=True):
        if labels[start] >= 0:
            continue
        labels[start], todo = labels.max() + 1, [start]
        while todo:
            y, x = todo.pop()
            for row, column, cut in (
                (y, x + 1, x + 1 >= kept.shape[1] or jumps.across[y, x]),
                (y, x - 1, x == 0 or jumps.across[y, x - 1]),
                (y + 1, x, y + 1 >= kept.shape[0] or jumps.down[y, x]),
                (y - 1, x, y == 0 or jumps.down[y - 1, x]),
            ):
                if not cut and kept[row, column] and labels[row, column] < 0:
                    labels[row, column] = labels[start]
                    todo.append((row, column))
    return labels


@pytest.mark.parametrize("seed", range(8))
def test_areas_are_those_that_flooding_finds(seed):
    chance = np.random.default_rng(seed)
    kept = chance.random((24, 31)) < 0.8
    jumps = Discontinuities(chance.random((24, 30)) < 0.3, chance.random((23, 31)) < 0.3)
    ours, expected = label_areas(kept, jumps), labels_by_flooding(kept, jumps)
    assert np.array_equal(ours < 0, expected < 0)
    pairs = np.unique(np.column_stack([ours[kept], expected[kept]]), axis=0)
    assert len(pairs) == len(np.unique(ours[kept])) == len(np.unique(expected[kept]))
    assert area_sizes(ours)[ours[kept]].min() >= 1


def test_nothing_kept_has_no_areas():
    nothing = np.zeros((5, 6), bool)
    assert (label_areas(nothing, Discontinuities(np.zeros((5, 5), bool), np.zeros((4, 6), bool))) == -1).all()


def test_islands_go_and_what_is_large_stays():
    depth = np.where(BOX, 0.2, 0.8)
    depth[10:13, 100:103] = 0.1
    found = surfaces_of(depth, least_island=0.001)
    assert not found.kept[10:13, 100:103].any()
    assert found.kept[BOX].all()
    assert found.kept.sum() == WIDTH * HEIGHT - 9


def test_uncertain_pixels_go():
    uncertainty = np.where(BOX, 0.3, 0.01).astype(np.float32)
    depth = MaskedMap(np.full((HEIGHT, WIDTH), 0.5, np.float32), None)
    options = EdgeOptions(sky="KEEP", least_island=0.0, uncertainty_limit=0.1)
    found = find_surfaces(depth, (WIDTH, HEIGHT), NEAR, FAR, options, uncertainty=uncertainty)
    assert np.array_equal(found.kept, ~BOX)
    unlimited = replace(options, uncertainty_limit=0.0)
    assert find_surfaces(depth, (WIDTH, HEIGHT), NEAR, FAR, unlimited, uncertainty=uncertainty).kept.all()


def outdoors(horizon=50):
    """Metric depth of level ground, a house and a tree whose leaves let the sky through; infinite above."""
    ground = 120 * 1.6 / np.maximum(Y - horizon, 1e-9)
    depth = np.where(horizon + 2 < Y, ground, np.inf)
    depth = np.where((abs(X - 110) < 25) & (abs(Y - 45) < 25), 9.0, depth)
    leaves = (np.hypot(X - 35, Y - 45) < 28) & ((X // 3 + Y // 3) % 3 > 0)
    return np.where(leaves, 4.0, depth)


def room(wall=5.0):
    """A room whose wall fills the upper half, flat and farther than all else; ground up to it; a lamp before it."""
    ground = 120 * 1.6 / np.maximum(Y - 60, 1e-9)
    depth = np.minimum(ground, wall)
    return np.where(np.hypot(X - 60, Y - 30) < 12, 2.0, depth)


def as_trained(metric):
    code, _ = normalise_depth(metric, "far")
    return (code + 1) / 2


def test_a_sky_is_found_between_leaves_too():
    metric = outdoors()
    found = surfaces_of(as_trained(metric), sky="CUT")
    sky = ~np.isfinite(metric)
    assert (found.sky & sky).sum() / (found.sky | sky).sum() > 0.97
    assert not found.kept[found.sky].any()


def test_a_smeared_sky_is_found():
    metric = outdoors()
    found = surfaces_of(blurred(as_trained(metric), 2), sky="CUT")
    sky = ~np.isfinite(metric)
    assert (found.sky & sky).sum() / (found.sky | sky).sum() > 0.9


def test_a_far_wall_is_no_sky():
    assert not surfaces_of(as_trained(room()), sky="CUT").sky.any()


def test_a_wall_seen_through_a_window_is_no_sky():
    """It is free on all sides, but not at the top."""
    metric = np.where((abs(X - 80) < 30) & (abs(Y - 60) < 30), 9.0, 3.0)
    assert not surfaces_of(as_trained(metric), sky="CUT").sky.any()


def test_masked_pixels_are_no_sky():
    depth = as_trained(outdoors()).astype(np.float32)
    valid = depth < 0.95
    found = find_surfaces(MaskedMap(depth, valid), (WIDTH, HEIGHT), NEAR, FAR, EdgeOptions(sky="CUT"))
    assert not found.sky.any()


def test_no_depth_at_the_far_end_is_no_sky():
    jumps = Discontinuities(np.zeros((3, 3), bool), np.zeros((2, 4), bool))
    assert not find_sky(np.full((3, 4), 0.4), jumps).any()


@pytest.mark.parametrize("vertices", [2_000, 60_000])
def test_the_sky_on_a_dome_is_as_far_everywhere(vertices):
    depth = as_trained(outdoors()).astype(np.float32)
    camera = Camera.from_fov(WIDTH, HEIGHT, 90)
    masked = MaskedMap(depth, None)
    options = EdgeOptions(sky="DOME", least_island=0.0)
    surfaces = find_surfaces(masked, (WIDTH, HEIGHT), NEAR, FAR, options, camera=camera)
    mesh = mesh_of_surfaces(masked, surfaces, vertices)
    pixels = mesh.uv * (WIDTH, -HEIGHT) + (0, HEIGHT)
    away = np.linalg.norm(unproject(camera, pixels, metric_depth(mesh.depth, NEAR, FAR)), axis=1)
    on_dome = mesh.depth > 1.01
    assert on_dome.mean() > 0.1
    assert away[on_dome] == pytest.approx(DOME_RADIUS * FAR, rel=0.01)
    assert (on_dome[mesh.quads].sum(axis=1) % 4 == 0).all()  # no face reaches from the dome to the ground
