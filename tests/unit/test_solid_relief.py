"""Reliefs as solids: closed, as large as asked, thick enough everywhere."""

import numpy as np
import pytest
import trimesh

from marigold_blender.errors import MarigoldError
from marigold_blender.geometry.solid_relief import Solid, SolidOptions, solid_relief

CHANCE = np.random.default_rng(0)


def photo_like(width=160, height=120) -> np.ndarray:
    y, x = np.mgrid[:height, :width] / width
    depth = 0.5 + 0.3 * np.sin(9 * x) * np.cos(7 * y)
    return np.where(np.hypot(x - 0.4, y - 0.4) < 0.2, 0.05, depth).astype(np.float32)


def independent(solid: Solid) -> trimesh.Trimesh:
    """The solid as an independent library reads it, its vertices merged by their places as an STL's are."""
    return trimesh.Trimesh(
        solid.points[solid.as_triangles()].reshape(-1, 3),
        np.arange(3 * len(solid.as_triangles())).reshape(-1, 3),
        process=True,
    )


@pytest.mark.parametrize("border", [0.0, 5.0])
@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("depth", [photo_like(), photo_like(90, 160), CHANCE.random((50, 60)), np.ones((4, 3))])
def test_it_is_closed_and_manifold(depth, border, inverted):
    options = SolidOptions(border=border, inverted=inverted, vertices=5_000)
    mesh = independent(solid_relief(depth.astype(np.float32), None, options))
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume > 0
    assert mesh.euler_number == 2  # one piece, no hole through it


@pytest.mark.parametrize(("width", "height"), [(160, 120), (120, 160), (100, 100)])
def test_it_has_the_size_that_was_asked_for(width, height):
    options = SolidOptions(size=200, height=10, base=3, border=6, border_height=0, vertices=3_000)
    depth = photo_like(width, height)
    depth[0, 0], depth[-1, -1] = 0, 1
    solid = solid_relief(depth, None, options)
    low, high = solid.points.min(axis=0), solid.points.max(axis=0)
    assert max(high[:2] - low[:2]) == pytest.approx(200)
    picture = (200 - 12) / max(width, height)
    assert (high - low)[:2] == pytest.approx([width * picture + 12, height * picture + 12])
    assert (low[2], high[2]) == (0, pytest.approx(13, abs=0.02))


def test_nowhere_is_it_thinner_than_its_base():
    solid = solid_relief(photo_like(), None, SolidOptions(base=1.5, vertices=5_000))
    heights = solid.points[:, 2]
    assert heights[heights > 0].min() >= 1.5


def test_near_stands_out_and_inverted_lies_low():
    depth = np.tile(np.linspace(0, 1, 60, dtype=np.float32), (40, 1))
    options = SolidOptions(border=0, vertices=2_000)
    solid, mould = solid_relief(depth, None, options), solid_relief(depth, None, SolidOptions(border=0, inverted=True))
    left = solid.points[:, 0] == solid.points[:, 0].min()
    assert solid.points[left, 2].max() == pytest.approx(10, abs=0.1)
    left = mould.points[:, 0] == mould.points[:, 0].min()
    assert mould.points[left, 2].max() == pytest.approx(2, abs=0.1)


def test_the_photo_is_upright_and_not_mirrored():
    depth = np.ones((40, 60), np.float32)
    depth[:10, :15] = 0  # near at the top left
    solid = solid_relief(depth, None, SolidOptions(border=0, vertices=2_000))
    highest = solid.points[solid.points[:, 2] > 9]
    assert highest[:, 0].max() < 0
    assert highest[:, 1].min() > 0
    assert solid.uv[solid.points[:, 2] > 9].min(axis=0) == pytest.approx([0, 0.75], abs=0.05)


def test_invalid_pixels_and_rubbish_lie_at_the_far_end():
    depth = photo_like()
    depth[:30] = np.nan
    valid = np.ones(depth.shape, bool)
    valid[:, :40] = False
    mesh = independent(solid_relief(depth, valid, SolidOptions(border=0, vertices=3_000)))
    assert mesh.is_watertight
    assert np.isfinite(mesh.vertices).all()
    assert mesh.vertices[(mesh.vertices[:, 1] > 0.3 * 120) & (mesh.vertices[:, 2] > 0)][:, 2].max() <= 2.001


@pytest.mark.parametrize(
    "options", [{"size": 0}, {"height": -1}, {"base": 0}, {"border": -1}, {"border": 60}, {"size": 8.0, "border": 4.0}]
)
def test_impossible_measures_are_refused(options):
    with pytest.raises(MarigoldError) as refused:
        solid_relief(photo_like(), None, SolidOptions(**options))
    assert refused.value.kind == "bad_input"
