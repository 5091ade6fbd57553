"""The *Best* depth of field on scenes whose answer is known."""

import math

import numpy as np
import pytest

from marigold_blender.depth_of_field import blurring
from marigold_blender.depth_of_field.blurring import blur_picture
from marigold_blender.depth_of_field.bokeh import Bokeh, bokeh_kernel
from marigold_blender.depth_of_field.snapping import snap_edges
from marigold_blender.fog_settings import FogSettings
from marigold_blender.geometry.fog import add_fog
from marigold_blender.geometry.thin_lens import ThinLens
from tests.spots import radius_of_spot

ROUND = Bokeh()


def constant(height: int, width: int, value: float) -> np.ndarray:
    return np.full((height, width), value, np.float32)


def test_the_radius_is_the_thin_lens_formula():
    f, n, d, sensor, width = 0.05, 2.0, 2.5, 0.036, 1920
    lens = ThinLens.from_f_stop(d, n, focal_px=f / sensor * width, width=width, sensor_mm=36.0)
    for z in (0.7, 2.5, 4.0, 90.0):
        expected = f**2 / (2 * n) * abs(z - d) / (z * d) * width / sensor
        assert abs(lens.radius_px(np.array([z]))[0]) == pytest.approx(expected, rel=1e-5, abs=1e-4)
    near, far, sky = lens.radius_px(np.array([1.0, 10.0, np.inf]))
    assert near < 0 < far < sky


def test_the_blur_of_the_far_end_is_in_percent_of_the_width_and_stays_when_the_focus_moves():
    lens = ThinLens.from_blur(0.0, 3.0, width=1000, near=1.0, far=4.0)
    assert 2 * lens.radius_px(np.array([1.0, 4.0])) == pytest.approx([0.0, 30.0], abs=1e-4)
    moved = ThinLens.from_blur(1.0, 3.0, width=1000, near=1.0, far=4.0)
    assert 2 * moved.radius_px(np.array([1.0, 4.0])) == pytest.approx([-30.0, 0.0], abs=1e-4)


@pytest.mark.parametrize("radius", [1.3, 3.0, 7.7, 16.0, -5.2, -24.0])
def test_a_point_of_light_becomes_a_disc_of_the_right_radius(radius):
    light = np.zeros((121, 121, 3), np.float32)
    light[60, 60] = 50.0
    blurred = blur_picture(light, constant(121, 121, radius), ROUND)
    assert radius_of_spot(blurred[..., 0]) == pytest.approx(abs(radius), rel=0.03, abs=0.3)
    assert blurred.sum() == pytest.approx(light.sum(), rel=1e-4)


def test_what_is_in_focus_is_not_touched():
    light = np.random.default_rng(1).random((90, 120, 3), np.float32) - 0.1  # out-of-gamut colours too
    radius = constant(90, 120, 0.4)
    assert (blur_picture(light, radius, ROUND) == light).all()


def test_a_blurred_foreground_spreads_over_the_sharp_background():
    """A white half plane in front: the share of the lens that it covers is that of a disc cut by a line."""
    radius, edge = 12.0, 80
    light = np.zeros((90, 160, 3), np.float32)
    light[:, :edge] = 1.0
    blur = constant(90, 160, 0.0)
    blur[:, :edge] = -radius
    seen = blur_picture(light, blur, ROUND)[45, :, 0]
    at = ((np.arange(160) + 0.5) - edge) / radius
    inside = np.clip(at, -1, 1)
    share = 0.5 - (inside * np.sqrt(1 - inside**2) + np.arcsin(inside)) / math.pi
    assert np.abs(seen - share).max() < 0.02


def test_a_blurred_background_does_not_bleed_over_a_sharp_edge():
    light = np.full((90, 160, 3), 0.01, np.float32)
    light[:, 80:] = 5.0  # bright, and far out of focus
    blur = constant(90, 160, 0.0)
    blur[:, 80:] = 14.0
    seen = blur_picture(light, blur, ROUND)
    assert np.abs(seen[:, :80] - 0.01).max() < 1e-5
    assert np.abs(seen[:, 80:] - 5.0).max() < 1e-3  # nor does the dark thing darken it


def test_a_blended_edge_leaves_no_rim():
    """A sharp picture's edge pixels are mixtures. With the front blurred away, nothing of them may stay behind."""
    light = np.zeros((90, 160, 3), np.float32)
    light[:, :80] = (1.0, 0.2, 0.1)
    light[:, 80:] = (0.1, 0.2, 0.9)
    light[:, 79], light[:, 80] = 0.75 * light[:, 0] + 0.25 * light[:, -1], 0.25 * light[:, 0] + 0.75 * light[:, -1]
    blur = constant(90, 160, 0.0)
    blur[:, :80] = -15.0
    seen = blur_picture(light, blur, ROUND)[45]
    steps = np.abs(np.diff(seen[62:98], axis=0)).max(axis=1)  # well inside the blurred edge
    assert steps.max() < 2.5 * np.median(steps)


def test_a_highlight_keeps_its_energy_and_leaves_no_veil():
    light = np.full((200, 200, 3), 0.05, np.float32)
    light[80:110, 80:110] = 1e5
    blurred = blur_picture(light, constant(200, 200, 8.0), ROUND)
    assert blurred.sum() == pytest.approx(light.sum(), rel=1e-4)
    assert np.abs(blurred[:60] - 0.05).max() < 1e-4


def test_alpha_is_blurred_with_its_colours():
    """A cut-out white disc: its blurred rim is as white as its middle, only thinner."""
    y, x = np.indices((120, 120))
    inside = (np.hypot(y - 60, x - 60) < 30).astype(np.float32)
    light = np.repeat(inside[..., None], 4, axis=2)
    radius = np.where(inside > 0, np.float32(-9.0), np.float32(0.0))
    blurred = blur_picture(light, radius, ROUND)
    alpha = blurred[..., 3]
    assert 0.3 < alpha[60, 30] < 0.7
    assert (blurred[..., :3] - alpha[..., None])[alpha > 1e-3] == pytest.approx(0.0, abs=1e-4)


def test_tiles_do_not_show(monkeypatch):
    rng = np.random.default_rng(3)
    light = rng.random((300, 340, 3), np.float32)
    y, x = np.indices((300, 340))
    radius = (np.sin(x / 40) * 4 + np.where(y > 150, 6.0, -6.0)).astype(np.float32)
    whole = blur_picture(light, radius, ROUND)
    monkeypatch.setattr(blurring, "TILE_PX", 97)
    assert np.abs(blur_picture(light, radius, ROUND) - whole).max() < 2e-4


def test_a_polygon_stands_as_in_cycles_and_on_its_head_in_front_of_the_focus():
    """Three blades without rotation: behind the focus the corner points left, in front of it right (rendered so)."""
    kernel = bokeh_kernel(20.0, Bokeh(3, 0.0)).numpy()
    widths = (kernel > 0).sum(axis=0)
    assert widths[:6].max() < widths[26:31].min()
    in_front = bokeh_kernel(-20.0, Bokeh(3, 0.0)).numpy()
    assert np.abs(in_front[:, ::-1] - kernel).max() < 1e-4
    turned = bokeh_kernel(20.0, Bokeh(3, math.radians(120.0))).numpy()
    assert np.abs(turned - kernel).max() < 1e-4
    assert bokeh_kernel(20.0, Bokeh(6)).sum() == pytest.approx(1.0)


def test_soft_depth_snaps_to_the_edge_of_the_colours():
    light = np.full((60, 100, 3), 0.8, np.float32)
    light[:, 46:] = (0.1, 0.3, 0.1)
    sliding = np.interp(np.arange(100), [42, 54], [-9.0, 6.0]).astype(np.float32)
    snapped = snap_edges(light, np.tile(sliding, (60, 1)), softness_px=12.0)
    assert snapped[30, :46] == pytest.approx(-9.0, abs=0.6)
    assert snapped[30, 46:] == pytest.approx(6.0, abs=0.6)


def test_a_slanted_surface_is_not_snapped():
    floor = np.tile(np.linspace(-8.0, 8.0, 80, dtype=np.float32)[:, None], (1, 100))
    light = np.random.default_rng(2).random((80, 100, 3), np.float32)
    assert (snap_edges(light, floor, softness_px=8.0) == floor).all()


def test_fog_swallows_light_by_beer_and_lambert_and_keeps_alpha():
    light = np.full((4, 5, 4), 0.5, np.float32)
    distance = constant(4, 5, 6.0)
    distance[0] = np.inf
    fog = FogSettings(density=0.3, start=2.0, colour=(0.1, 0.2, 0.9))
    seen = add_fog(light, distance, focal_px=1e6, fog=fog)
    left = math.exp(-0.3 * 4.0)
    assert seen[2, 2, :3] == pytest.approx([0.5 * left + 0.5 * (1 - left) * own for own in fog.colour], rel=1e-4)
    assert seen[0, 2, :3] == pytest.approx([0.5 * own for own in fog.colour], rel=1e-4)  # half covered
    assert (seen[..., 3] == 0.5).all()


def test_layered_fog_is_the_integral_along_the_ray():
    fog = FogSettings(density=0.5, height=0.3, colour=(1.0, 1.0, 1.0))
    seen = add_fog(np.zeros((64, 96, 3), np.float32), constant(64, 96, 2.5), focal_px=100.0, fog=fog)[..., 0]
    for row, column in ((3, 10), (31, 50), (60, 90)):
        x, y = (column + 0.5 - 48) / 100, (32 - row - 0.5) / 100
        along = (np.arange(4000) + 0.5) / 4000 * 2.5
        depth = (0.5 * np.exp(-along * y / 0.3)).sum() * math.sqrt(1 + x * x + y * y) * 2.5 / 4000
        assert seen[row, column] == pytest.approx(1 - math.exp(-depth), abs=1e-3)
