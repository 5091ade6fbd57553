"""Grid meshes: their budget, their reach, what is cut out of them."""

import numpy as np
import pytest

from marigold_blender.geometry.grid import grid_mesh
from marigold_blender.geometry.lattice import lattice_size
from marigold_blender.geometry.sampling import MaskedMap

SIZE = (768, 576)


def pieces(width=SIZE[0], height=SIZE[1]):
    """Depth of a disc and a slanted bar before a background."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = (x + 0.5) / width, (y + 0.5) / width
    depth = np.full((height, width), 0.9, np.float32)
    depth[np.hypot(x - 0.7, y - 0.3) < 0.2] = 0.3
    depth[(abs(y - 0.1 - 0.7 * x) < 0.04) & (x < 0.6)] = 0.1
    return depth


def area(mesh):
    """Share of the picture that the mesh covers."""
    a, b, c, d = (mesh.uv[mesh.quads[:, corner]].astype(float) for corner in range(4))
    p, q = c - a, d - b
    return (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum() / 2


@pytest.mark.parametrize(("width", "height"), [(640, 427), (427, 640), (3000, 300), (5, 4), (1, 1)])
@pytest.mark.parametrize("vertices", [10_000, 200_000])
def test_the_budget_is_met_and_the_cells_are_square(width, height, vertices):
    columns, rows = lattice_size(width, height, vertices)
    assert vertices <= columns * rows <= vertices * 1.05 + columns
    assert (columns - 1) / (rows - 1) == pytest.approx(width / height, rel=0.04)


def test_an_uncut_mesh_covers_the_picture_from_edge_to_edge():
    mesh = grid_mesh(np.full((30, 40), 0.5, np.float32), None, (40, 30), 1, 4, vertices=20_000)
    assert mesh.uv.min(axis=0).tolist() == [0, 0]
    assert mesh.uv.max(axis=0).tolist() == [1, 1]
    assert area(mesh) == pytest.approx(1)
    assert len(mesh.depth) >= 20_000  # more than the photo has pixels


def test_depth_is_sampled_where_the_vertices_are():
    ramp = np.tile((np.arange(80, dtype=np.float32) + 0.5) / 80, (60, 1))
    mesh = grid_mesh(ramp, None, (80, 60), 1, 2, vertices=5_000)
    between_centres = (mesh.uv[:, 0] > 0.5 / 80) & (mesh.uv[:, 0] < 1 - 0.5 / 80)
    assert mesh.depth[between_centres] == pytest.approx(mesh.uv[between_centres, 0], abs=1e-6)


def test_every_face_turns_counter_clockwise():
    mesh = grid_mesh(pieces(), None, SIZE, 1, 4, vertices=10_000)
    a, b, c, d = (mesh.uv[mesh.quads[:, corner]].astype(float) for corner in range(4))
    p, q = c - a, d - b
    assert (p[:, 0] * q[:, 1] > p[:, 1] * q[:, 0]).all()


def test_what_is_cut_does_not_depend_on_the_density():
    """A cut has no width, and lies on the borders of the pixels however large the faces are."""
    truth = pieces()
    for vertices in (10_000, 200_000, 1_000_000):
        mesh = grid_mesh(truth, None, SIZE, 1, 4, vertices=vertices)
        assert area(mesh) == pytest.approx(1)
        start, end = mesh.uv[mesh.quads[:, 3]].astype(float), mesh.uv[mesh.quads[:, 1]].astype(float)
        for share in (0.1, 0.9):  # within the face, towards two of its corners
            x, y = ((start * (1 - share) + end * share) * (1, -1) + (0, 1)).T * [[SIZE[0]], [SIZE[1]]]
            wrong = abs(mesh.depth[mesh.quads].mean(axis=1) - truth[y.astype(int), x.astype(int)]) > 1e-6
            assert not wrong.any()


def test_what_is_cut_does_not_depend_on_the_scale():
    metres, millimetres = (grid_mesh(pieces(), None, SIZE, n, 4 * n, vertices=50_000) for n in (1, 1000))
    assert np.array_equal(metres.quads, millimetres.quads)


@pytest.mark.parametrize("vertices", [2_000, 10_000, 200_000, 1_000_000])
def test_no_face_stretches_over_a_jump(vertices):
    mesh = grid_mesh(pieces(), None, SIZE, 1, 4, vertices=vertices)
    assert np.ptp(mesh.depth[mesh.quads], axis=1).max() < 1e-6


def test_without_a_threshold_faces_stretch():
    mesh = grid_mesh(pieces(), None, SIZE, 1, 4, vertices=10_000, edge_threshold=0)
    assert area(mesh) == pytest.approx(1)
    assert np.ptp(mesh.depth[mesh.quads], axis=1).max() > 0.5


def test_a_divided_cell_leaves_no_slit_beside_an_undivided_one():
    """Vertices on the side of a whole cell lie on the straight line between its corners."""
    ramp = pieces() * 0.5 + 0.3 * np.sin(np.linspace(0, 9, SIZE[0], dtype=np.float32)) ** 2
    mesh = grid_mesh(ramp.astype(np.float32), None, SIZE, 1, 4, vertices=5_000)
    columns, rows = lattice_size(*SIZE, 5_000)
    place = (mesh.uv * (columns - 1, rows - 1)).astype(float).round(3)
    size = np.ptp(place[mesh.quads], axis=1).max(axis=1)
    on_row = {}
    for vertex in np.flatnonzero(place[:, 1] % 1 == 0):
        on_row.setdefault(place[vertex, 1], []).append(vertex)
    checked = 0
    for lower_left, lower_right, *_ in mesh.quads[size > 0.99]:
        (start, y), end = place[lower_left], place[lower_right, 0]
        for vertex in on_row[y]:
            if start < place[vertex, 0] < end:
                along = (place[vertex, 0] - start) / (end - start)
                on_side = mesh.depth[lower_left] * (1 - along) + mesh.depth[lower_right] * along
                assert mesh.depth[vertex] == pytest.approx(on_side, abs=2e-4)
                checked += 1
    assert checked > 500


def test_every_vertex_is_used_and_sides_of_a_cut_have_their_own():
    mesh = grid_mesh(pieces(), None, SIZE, 1, 4, vertices=20_000)
    assert np.array_equal(np.unique(mesh.quads), np.arange(len(mesh.depth)))
    _, which, count = np.unique(mesh.uv, axis=0, return_inverse=True, return_counts=True)
    alone = count[which] == 1
    assert 0.5 < alone.mean() < 1
    assert count.max() <= 4  # where four pixels meet
    at_cut = np.flatnonzero(count == 2)
    twice = mesh.depth[np.argsort(which, kind="stable")][np.cumsum(count)[at_cut][:, None] - (2, 1)]
    assert (np.ptp(twice, axis=1) > 0.1).mean() > 0.99


@pytest.mark.parametrize("vertices", [3_000, 300_000])
def test_invalid_pixels_are_left_out_and_do_not_bleed(vertices):
    depth = np.full((90, 120), 0.25, np.float32)
    valid = np.ones(depth.shape, bool)
    valid[30:60, 40:100] = False
    depth[~valid] = 1.0
    mesh = grid_mesh(depth, valid, (120, 90), 1, 4, vertices=vertices)
    assert mesh.depth == pytest.approx(0.25)
    middle = mesh.uv[mesh.quads].mean(axis=1) * (120, 90)
    column, row = middle[:, 0].astype(int), (90 - middle[:, 1]).astype(int)
    assert valid[row, column].all()
    assert area(mesh) == pytest.approx(valid.mean(), abs=0.01)


def test_nothing_valid_gives_an_empty_mesh():
    depth = np.ones((20, 30), np.float32)
    mesh = grid_mesh(depth, np.zeros(depth.shape, bool), (30, 20), 1, 4, vertices=1_000)
    assert mesh.quads.shape == (0, 4)
    assert len(mesh.depth) == 0


def test_a_photo_of_one_pixel_is_one_flat_face():
    mesh = grid_mesh(np.zeros((1, 1), np.float32), None, (1, 1), 1, 4, vertices=4)
    assert mesh.quads.tolist() == [[2, 3, 1, 0]]
    assert mesh.depth.tolist() == [0, 0, 0, 0]


def test_noise_does_not_explode():
    noise = np.random.default_rng(0).random((576, 768)).astype(np.float32)
    mesh = grid_mesh(noise, None, SIZE, 1, 4, vertices=10_000)
    assert len(mesh.quads) < 500_000


def test_a_masked_map_gives_weight_to_valid_pixels_only():
    values = np.array([[1, 5, 100]], np.float32)
    masked = MaskedMap(values, np.array([[True, True, False]]))
    x, y = np.array([1.0, 2.0, 2.4, 2.9]), np.full(4, 0.5)
    samples = masked.at_points(x, y)
    assert samples[:3] == pytest.approx([3, 5, 5])
    assert np.isnan(samples[3])
    assert masked.at_lattice(x, y[:1])[0] == pytest.approx(samples, nan_ok=True)
