"""Few triangles for a depth map: the budget, no cracks, cuts, and an error that is what it says."""

import numpy as np
import pytest

from marigold_blender.geometry.discontinuities import find_discontinuities
from marigold_blender.geometry.live_cells import jump_area
from marigold_blender.geometry.sampling import MaskedMap
from marigold_blender.geometry.surfaces import EdgeOptions, find_surfaces
from marigold_blender.geometry.triangulation import TriangleMesh, triangulate

SIZE = (256, 192)
Y, X = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float32) + 0.5


def hills() -> np.ndarray:
    """Smooth ground that is rough on its left side."""
    rough = 0.05 * np.sin(X / 4) * np.sin(Y / 5) * (X < 80)
    return (0.5 + 0.3 * np.sin(X / 90) * np.cos(Y / 70) + rough).astype(np.float32)


def step() -> np.ndarray:
    return np.where(np.hypot(X - 120, Y - 90) < 50, 0.1, 0.7).astype(np.float32)


def plane() -> np.ndarray:
    """A plane in perspective: its disparity is affine."""
    disparity = 1 - 0.5 * X / SIZE[0] - 0.2 * Y / SIZE[1]
    return ((1 / disparity - 1) / 3).astype(np.float32)


def few(depth: np.ndarray, budget: int, *, valid=None, threshold=0.04) -> TriangleMesh:
    """The mesh of a depth map at near 1 and far 4, with its sky and its islands."""
    options = EdgeOptions(threshold, sky="KEEP", least_island=0)
    return triangulate(find_surfaces(MaskedMap(depth, valid), depth.shape[::-1], 1, 4, options), 1, 4, budget)


def edges_of(mesh: TriangleMesh) -> tuple[np.ndarray, np.ndarray]:
    """The edges [E, 2] of the mesh, and how many faces each has."""
    pairs = np.concatenate([mesh.triangles[:, [i, (i + 1) % 3]] for i in range(3)])
    return np.unique(np.sort(pairs, axis=1), axis=0, return_counts=True)


def areas(mesh: TriangleMesh) -> np.ndarray:
    a, b, c = (mesh.uv[mesh.triangles[:, i]].astype(float) for i in range(3))
    return ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2


@pytest.mark.parametrize("budget", [200, 1_000, 10_000, 60_000])
@pytest.mark.parametrize("depth", [hills, step])
def test_the_budget_is_kept_and_used(depth, budget):
    mesh = few(depth(), budget)
    assert len(mesh.triangles) <= budget
    if depth is hills:
        assert len(mesh.triangles) > 0.9 * budget


@pytest.mark.parametrize("shape", [SIZE, (100, 300), (300, 30), (16, 16), (7, 5)])
def test_without_cuts_it_covers_the_picture_once(shape):
    depth = np.random.default_rng(0).random(shape[::-1]).astype(np.float32)
    mesh = few(depth, 3_000, threshold=0)
    assert areas(mesh).min() > 0  # each turns counter-clockwise
    assert areas(mesh).sum() == pytest.approx(1)


@pytest.mark.parametrize("depth", [hills, step])
@pytest.mark.parametrize("budget", [500, 8_000])
def test_there_are_no_cracks(depth, budget):
    """A vertex in the middle of another triangle's side would be one: then its edges have a single face."""
    mesh = few(depth(), budget, threshold=0)
    edges, faces = edges_of(mesh)
    single = mesh.uv[edges[faces == 1]]
    on_frame = ((single == 0) | (single == 1)).all(axis=1).any(axis=1)
    assert faces.max() == 2
    assert on_frame.all()


def test_a_plane_needs_two_triangles_per_square():
    mesh = few(plane(), 100_000)
    assert mesh.worst_error < 1e-2  # the outermost half pixel repeats the edge of the depth map
    coarse = few(plane(), 600)
    assert coarse.mean_error < 1e-3


def test_no_triangle_stretches_over_a_jump():
    depth = step()
    mesh = few(depth, 20_000)
    assert np.ptp(mesh.depth[mesh.triangles], axis=1).max() < 1e-6
    jumps = find_discontinuities(MaskedMap(depth, None), SIZE, 1, 4)
    lost = 1 - areas(mesh).sum()
    assert jump_area(jumps).mean() < lost < 2.2 * jump_area(jumps).mean()  # whole cells, which lie across two pixels


def test_invalid_pixels_have_no_faces():
    valid = X < 200
    mesh = few(hills(), 5_000, valid=valid)
    assert mesh.uv[:, 0].max() <= 200 / SIZE[0] + 1e-6
    assert mesh.uv[:, 0].max() > 198 / SIZE[0]
    assert len(mesh.triangles) > 4_000


def test_a_larger_budget_has_a_smaller_error():
    errors = [few(hills(), n).mean_error for n in (500, 2_000, 8_000, 32_000)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.1 * errors[0]


def test_the_error_is_that_of_the_surface():
    """Disparity interpolated over each triangle, as perspective does it, at the lattice's own vertices."""
    depth = hills()
    mesh = few(depth, 2_000, threshold=0)
    columns, rows = 257, 193
    xs, ys = np.linspace(0, 1, columns), np.linspace(0, 1, rows)
    truth = 1 / (1 + 3 * MaskedMap(depth, None).at_lattice(xs * SIZE[0], ys * SIZE[1]).astype(float))
    found = np.full(truth.shape, np.nan)
    disparity = 1 / (1 + 3 * mesh.depth.astype(float))
    places = np.stack([mesh.uv[:, 0] * (columns - 1), (1 - mesh.uv[:, 1]) * (rows - 1)], axis=-1).astype(float)
    for triangle in mesh.triangles:
        a, b, c = places[triangle]
        low, high = np.ceil(np.min([a, b, c], axis=0) - 1e-6), np.floor(np.max([a, b, c], axis=0) + 1e-6)
        x, y = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1))
        weights = np.linalg.solve(np.array([[*a, 1], [*b, 1], [*c, 1]]).T, np.stack([x, y, 1 + 0 * x]).reshape(3, -1))
        inside = (weights > -1e-6).all(axis=0)
        at = y.ravel()[inside].astype(int), x.ravel()[inside].astype(int)
        found[at] = disparity[triangle] @ weights[:, inside]
    off = np.abs(found - truth) / truth
    assert np.isfinite(found).all()
    assert mesh.worst_error == pytest.approx(off.max(), rel=1e-3)
    assert mesh.mean_error == pytest.approx(np.sqrt((off**2).mean()), rel=1e-3)


def test_it_is_finer_where_the_depth_is_rough():
    mesh = few(hills(), 4_000)
    middles = mesh.uv[mesh.triangles].mean(axis=1)[:, 0]
    assert (middles < 80 / SIZE[0]).mean() > 0.6
