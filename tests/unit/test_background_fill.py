"""The layer behind the edges: where it is, how deep it lies, and whose colours it has; on scenes in closed form."""

import numpy as np
import pytest

from marigold_blender.geometry.background_fill import MOVE, fill_behind_edges
from marigold_blender.geometry.camera import Camera
from marigold_blender.geometry.sampling import MaskedMap
from marigold_blender.geometry.surfaces import EdgeOptions, find_surfaces

WIDTH, HEIGHT = 160, 120
CAMERA = Camera.from_fov(WIDTH, HEIGHT)
Y, X = np.mgrid[:HEIGHT, :WIDTH] + 0.5
BOX = (abs(X - 80) < 30) & (abs(Y - 60) < 30)


def layer_behind(front, behind, mask=BOX):
    """The layer of a scene of metric depth; and the scene's near and far."""
    metric = np.where(mask, front, behind).astype(np.float32)
    near, far = float(metric.min()), float(metric.max())
    depth = MaskedMap((metric - near) / (far - near), None)
    surfaces = find_surfaces(depth, (WIDTH, HEIGHT), near, far, EdgeOptions(sky="KEEP", least_island=0.0))
    return fill_behind_edges(surfaces, CAMERA, near, far), near, far


def centres(mesh):
    """Pixel [F, 2] and metric-free depth [F] of the faces' middles."""
    return mesh.uv[mesh.quads].mean(axis=1) * (WIDTH, -HEIGHT) + (0, HEIGHT), mesh.depth[mesh.quads].mean(axis=1)


def test_nothing_is_made_where_nothing_is_cut():
    assert layer_behind(2.0, 2.0 + 0.01 * X, BOX & False)[0] is None


def test_the_layer_reaches_as_far_under_the_edge_as_a_moved_camera_sees():
    mesh, _, _ = layer_behind(2.0, 4.0)
    x, y = centres(mesh)[0].T
    under = (abs(x - 80) < 30) & (abs(y - 60) < 30)
    depth_under = 30 - abs(x[under] - 80)
    parallax = CAMERA.focal_px * MOVE * 4.0 * (1 / 2.0 - 1 / 4.0)  # the median is the wall's
    row = abs(y[under] - 60) < 1
    assert depth_under[row].max() >= min(parallax, 30) - 1
    assert not ((abs(x - 80) > 32) | (abs(y - 60) > 32)).any()  # elsewhere the photo shows what is there


def test_a_plane_goes_on_as_a_plane():
    """A slanted wall behind a box: the layer has the wall's own depth, give or take the hair that it stays behind."""
    wall = 1 / (0.15 + 0.1 * X / WIDTH + 0.05 * Y / HEIGHT)
    mesh, near, far = layer_behind(2.0, wall)
    place, depth = centres(mesh)
    expected = 1 / (0.15 + 0.1 * place[:, 0] / WIDTH + 0.05 * place[:, 1] / HEIGHT)
    assert near + depth * (far - near) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("behind", [4.0, 6 - 0.02 * X, 2.4 + 0.02 * Y])
def test_the_layer_is_never_before_what_the_photo_shows(behind):
    mesh, near, far = layer_behind(2.0 + 0.003 * X, behind)
    metric = np.where(BOX, 2.0 + 0.003 * X, behind)
    place, _ = centres(mesh)
    column, row = place[:, 0].astype(int), place[:, 1].astype(int)
    nearest = near + mesh.depth[mesh.quads].min(axis=1) * (far - near)
    assert (nearest > metric[row, column]).all()


def test_what_the_frame_cuts_off_may_be_looked_behind():
    """A table that reaches down to the frame: from below one sees the wall behind it, far from its own edge."""
    table = Y > 30
    mesh, near, far = layer_behind(1.0, 4.0, table)
    place, depth = centres(mesh)
    assert place[:, 1].max() > HEIGHT - 1
    assert near + depth * (far - near) == pytest.approx(4.0, rel=0.01)


def test_what_is_left_out_for_its_smallness_is_filled():
    speck = (abs(X - 20) < 2) & (abs(Y - 20) < 2)
    metric = np.where(speck, 2.0, 4.0).astype(np.float32)
    options = EdgeOptions(sky="KEEP", least_island=0.01)
    surfaces = find_surfaces(MaskedMap((metric - 2) / 2, None), (WIDTH, HEIGHT), 2.0, 4.0, options)
    assert not surfaces.kept[speck].any()
    place, depth = centres(fill_behind_edges(surfaces, CAMERA, 2.0, 4.0))
    covered = np.zeros(speck.shape, bool)
    covered[place[:, 1].astype(int), place[:, 0].astype(int)] = True
    assert covered[speck].all()
    assert 2 + depth * 2 == pytest.approx(4, rel=0.01)


def test_colours_come_from_the_background():
    mesh, _, _ = layer_behind(2.0, 4.0)
    x, y = (mesh.texture * (WIDTH, -HEIGHT) + (0, HEIGHT)).T
    on_box = (abs(x - 80) < 29) & (abs(y - 60) < 29)
    assert on_box.mean() < 0.01
    assert mesh.texture.min() >= 0
    assert mesh.texture.max() <= 1


def test_every_face_turns_counter_clockwise_and_every_vertex_is_used():
    mesh, _, _ = layer_behind(2.0, 4.0)
    a, b, c, d = (mesh.uv[mesh.quads[:, corner]].astype(float) for corner in range(4))
    p, q = c - a, d - b
    assert (p[:, 0] * q[:, 1] > p[:, 1] * q[:, 0]).all()
    assert np.array_equal(np.unique(mesh.quads), np.arange(len(mesh.depth)))
