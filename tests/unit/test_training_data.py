# SPDX-License-Identifier: GPL-3.0-or-later
"""Data sets: reading them, what bad files say, depth as the network sees it, training views, PNG files."""

import io

import numpy as np
import pytest
from PIL import Image

from marigold_blender.errors import MarigoldError
from marigold_blender.training.dataset import Sample, list_scene_data_set
from marigold_blender.training.depth_range import normalise_depth
from marigold_blender.training.exposure import develop, is_dark
from marigold_blender.training.render import RenderPlan, render_data_set
from marigold_blender.training.scene_files import png_bytes, write_view
from marigold_blender.training.views import _places, _resampled, training_view, view_size


def slope(height: int = 48, width: int = 64) -> np.ndarray:
    """Depth from 2 m at the bottom to 10 m at the top, sky in the uppermost quarter."""
    rows = np.linspace(10, 2, height, dtype=np.float32)
    depth = np.repeat(rows[:, None], width, 1)
    depth[: height // 4] = np.inf
    return depth


@pytest.fixture
def data_set(tmp_path):
    for folder in ("rgb", "depth", "normals", "meta"):
        (tmp_path / folder).mkdir()
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        rgb = rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)
        write_view(tmp_path, name, rgb, slope(), np.zeros((48, 64, 3), np.float32), {"focal_px": 64.0})
    return tmp_path


def test_what_was_written_is_read_back(data_set):
    one, two = (file.read() for file in list_scene_data_set(data_set))
    assert (one.name, two.name) == ("one", "two")
    assert np.array_equal(one.depth, slope())
    assert np.array_equal(one.rgb, np.asarray(Image.open(data_set / "rgb/one.png")))


def test_pictures_without_depth_are_left_out(data_set):
    (data_set / "depth/one.npy").unlink()
    (data_set / "rgb/notes.txt").write_text("extra")
    assert [file.name for file in list_scene_data_set(data_set)] == ["two"]


def test_a_folder_without_pairs_says_so(tmp_path):
    with pytest.raises(MarigoldError, match="no pictures in rgb/"):
        list_scene_data_set(tmp_path)


def cut_picture(folder):
    path = folder / "rgb/one.png"
    path.write_bytes(path.read_bytes()[:200])


def cut_depth(folder):
    path = folder / "depth/one.npy"
    path.write_bytes(path.read_bytes()[:1000])


def other_size(folder):
    np.save(folder / "depth/one.npy", np.ones((10, 10), np.float32))


def no_depth_at_all(folder):
    np.save(folder / "depth/one.npy", np.full((48, 64), np.nan, np.float32))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (cut_picture, "rgb/one.png is damaged"),
        (cut_depth, "depth/one.npy is damaged"),
        (other_size, "differ in size"),
        (no_depth_at_all, "no valid pixels"),
    ],
)
def test_a_bad_file_is_named_in_one_sentence(data_set, spoil, says):
    spoil(data_set)
    with pytest.raises(MarigoldError, match=says) as caught:
        list_scene_data_set(data_set)[0].read()
    assert caught.value.kind == "bad_input"


def test_depth_is_scaled_between_its_quantiles_and_sky_is_left_out():
    code, valid = normalise_depth(slope(), "invalid")
    assert code[valid].min() == -1
    assert code[valid].max() == 1
    assert not valid[:12].any()
    assert valid[12:].all()


def test_sky_as_far_lies_beyond_all_that_is_finite():
    code, valid = normalise_depth(slope(), "far")
    assert valid.all()
    assert (code[:12] == 1).all()
    assert code[12:].max() == pytest.approx(0.8)


def test_zeros_and_nans_are_never_sky():
    depth = slope()
    depth[0], depth[1] = 0, np.nan
    _, valid = normalise_depth(depth, "far")
    assert not valid[:2].any()


@pytest.mark.parametrize(
    ("aspect", "size"), [(4 / 3, (256, 192)), (3 / 4, (192, 256)), (1, (224, 224)), (1.6, (256, 160))]
)
def test_views_have_sizes_that_the_network_takes(aspect, size):
    assert view_size(aspect, 256) == size


def test_a_view_keeps_picture_and_depth_together():
    height, width = 96, 128
    across = np.linspace(0, 255, width).astype(np.uint8)
    rgb = np.repeat(np.repeat(across[None, :, None], height, 0), 3, 2)
    depth = np.repeat(np.linspace(1, 5, width, dtype=np.float32)[None], height, 0)
    for seed in range(12):
        shows = ("whole", "crop", "tilted")[seed % 3]
        view = training_view(Sample("s", rgb, depth), np.random.default_rng(seed), 128, "far", shows=shows)
        assert view.rgb.shape[:2] == view.depth.shape
        assert np.corrcoef(view.rgb.mean(2).ravel(), view.depth.ravel())[0, 1] > 0.9, seed


def test_a_tilted_view_keeps_an_outline_where_the_picture_has_it():
    height, width = 192, 256
    rgb, depth = np.full((height, width, 3), 40, np.uint8), np.full((height, width), 9.0, np.float32)
    rgb[60:130, 90:180], depth[60:130, 90:180] = 220, 2.0
    differing = []
    for seed in range(6):
        view = training_view(Sample("s", rgb, depth), np.random.default_rng(seed), 256, "far", shows="tilted")
        bright = view.rgb.mean(2)
        differing.append(float(((bright > (bright.min() + bright.max()) / 2) != (view.depth < 0)).mean()))
        assert 0.05 < (view.depth < 0).mean() < 0.35, seed  # the box is there, most of the rest too
    assert max(differing) < 0.01
    assert len(set(differing)) > 1


def test_our_png_is_everyones_png():
    pixels = np.random.default_rng(1).integers(0, 255, (17, 31, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png_bytes(pixels)))), pixels)


def test_exposure_brings_any_light_to_the_brightness_asked_for():
    light = np.random.default_rng(2).gamma(2, 1, (60, 80, 3))
    for factor in (0.01, 1, 100):
        assert develop(light * factor, 0.4).mean() / 255 == pytest.approx(0.4, abs=0.02)


def test_only_a_picture_without_light_is_too_dark_to_keep():
    lamp = np.zeros((32, 32, 3))
    lamp[4:20] = 1e-3
    assert not is_dark(develop(lamp, 0.4), 0.4)
    assert is_dark(develop(np.zeros((32, 32, 3)), 0.4), 0.4)


def test_an_unknown_family_is_refused(tmp_path):
    with pytest.raises(MarigoldError, match="no scene family “castles”"):
        render_data_set(RenderPlan(tmp_path, families=("castles",)), lambda *_: None)


def test_two_data_sets_are_not_mixed_in_one_folder(tmp_path):
    render_data_set(RenderPlan(tmp_path, count=0, seed=1), lambda *_: None)
    with pytest.raises(MarigoldError, match="other settings"):
        render_data_set(RenderPlan(tmp_path, count=0, seed=2), lambda *_: None)


def test_an_enlarged_slope_has_no_stairs_and_a_jump_no_ramp():
    depth = np.repeat(np.linspace(4, 5, 40, dtype=np.float32)[None], 30, 0)
    depth[:, 20:] += 10
    view = _resampled(depth, *_places((0, 0, 40, 30), (160, 120)))
    steps = np.diff(view, axis=1)
    jump = int(steps[0].argmax())
    assert (view[:, jump + 1] - view[:, jump] > 9.9).all()  # no value between the two surfaces
    assert np.delete(steps, range(jump - 3, jump + 4), axis=1)[:, 3:-3].min() > 0.5 / 160
    assert steps[:, :jump].max() < 2.0 / 160


def test_unknown_depth_stays_unknown_where_it_was():
    depth = np.full((20, 20), 3.0, np.float32)
    depth[5:10, 5:10] = np.nan
    view = _resampled(depth, *_places((0, 0, 20, 20), (60, 60)))
    assert np.isnan(view[15:30, 15:30]).all()
    assert np.isfinite(view).sum() == 60 * 60 - 15 * 15
