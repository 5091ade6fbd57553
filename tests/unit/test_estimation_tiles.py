# SPDX-License-Identifier: GPL-3.0-or-later
"""Tiles add detail to the global pass: no seams, the structure kept, cancelled at once, resumed where they stopped."""

from __future__ import annotations

import argparse
import itertools
import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from marigold_blender.errors import MarigoldError
from marigold_blender.estimation.estimator import Estimator, Prediction
from marigold_blender.estimation.resampling import processing_size, resize_pixels, to_photo_size
from marigold_blender.estimation.tile_fitting import fit_tile, robust_affine
from marigold_blender.estimation.tiling import enlarged, estimate_in_tiles, forget_old_tiles, plan_levels
from marigold_blender.settings import MAX_TILING, EstimateSettings
from marigold_blender.settings_arguments import add_settings_arguments, settings_of
from tests.unit.checkpoints import DEMO

SETTINGS = EstimateSettings(steps=1, ensemble=1, resolution=160, tiling=1)
TO_FULL_SIZE = EstimateSettings(steps=1, ensemble=1, resolution=160, tiling=MAX_TILING)
PIXELS = data.coffee()  # 400 x 600
BESIDE = (-17, -13, -9, -7, 7, 9, 13, 17)  # pixels from a border of tiles


@pytest.fixture(scope="module")
def demo() -> Estimator:
    return Estimator.load(DEMO, "cpu")


def in_tiles(
    demo: Estimator, pixels: np.ndarray = PIXELS, settings: EstimateSettings = SETTINGS, folder: Path | None = None
) -> Prediction:
    return estimate_in_tiles(demo, pixels, settings, lambda *_: None, lambda: False, folder=folder)


@pytest.fixture(scope="module")
def tiled(demo: Estimator) -> Prediction:
    """All the way to the photo's own size."""
    return in_tiles(demo, settings=TO_FULL_SIZE)


@pytest.mark.parametrize(
    ("height", "width", "resolution", "doublings", "sizes"),
    [
        (400, 600, 160, 8, [(213, 320), (400, 600)]),
        (400, 600, 160, 1, [(213, 320)]),
        (100, 160, 160, 8, []),
        (50, 80, 160, 8, []),
        (10_000, 10_000, 768, 8, [(1536, 1536), (3072, 3072), (6144, 6144), (10_000, 10_000)]),
        (1, 1000, 160, 8, [(1, 320), (1, 640), (1, 1000)]),
    ],
)
def test_levels_double_up_to_the_photos_own_size(
    height: int, width: int, resolution: int, doublings: int, sizes: list[tuple[int, int]]
) -> None:
    levels = plan_levels(height, width, resolution, doublings)
    assert [(level.height, level.width) for level in levels] == sizes
    for level in levels:
        covered = np.zeros((level.height, level.width), bool)
        for tile in level.tiles():
            assert tile.height <= resolution
            assert tile.width <= resolution
            covered[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width] = True
        assert covered.all()
        for starts, edge in ((level.tops, level.tile_height), (level.lefts, level.tile_width)):
            assert all(first + edge - second >= edge // 5 for first, second in itertools.pairwise(starts))


def test_a_tile_is_enlarged_as_the_whole_level_would_be() -> None:
    below = torch.rand(50, 80, generator=torch.Generator().manual_seed(0))
    (level,) = plan_levels(93, 149, 80, 1)
    whole = torch.nn.functional.interpolate(below[None, None], (93, 149), mode="bilinear")[0, 0]
    for tile in level.tiles():
        part = whole[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width]
        assert (enlarged(below, level, tile) - part).abs().max() < 1e-5


def test_windows_blend_equal_tiles_without_a_trace(demo: Estimator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every tile says what the level below says, that level comes out."""
    monkeypatch.setattr("marigold_blender.estimation.tiling.fit_tile", lambda _tile, below: below)
    small = resize_pixels(PIXELS, *processing_size(400, 600, 160))
    first = torch.from_numpy(demo.estimate(small, SETTINGS, lambda *_: None, lambda: False).depth)
    level = torch.nn.functional.interpolate(first[None, None], (213, 320), mode="bilinear")[0, 0]
    assert np.abs(in_tiles(demo).depth - to_photo_size(level, 400, 600)).max() < 1e-4


def test_a_fitted_tile_has_its_own_detail_and_the_structure_below() -> None:
    y, x = torch.meshgrid(torch.linspace(0, 1, 160), torch.linspace(0, 1, 160), indexing="ij")
    structure = 0.2 + 0.5 * y
    detail = 0.02 * torch.sin(60 * x)
    fitted = fit_tile(3.0 * (structure + detail) - 1.0, structure)
    assert (fitted - structure - detail).abs().mean() < 0.004


def test_a_tile_turned_inside_out_changes_nothing() -> None:
    below = torch.linspace(0.0, 1.0, 64).repeat(64, 1)
    assert torch.equal(fit_tile(1.0 - below, below), below)


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_constant_tiles_change_nothing(value: float) -> None:
    below = torch.linspace(0.0, 1.0, 64).repeat(64, 1)
    assert torch.equal(fit_tile(torch.full((64, 64), value), below), below)


def test_the_fit_is_robust() -> None:
    values = np.linspace(0.0, 1.0, 1000)
    target = 0.3 * values + 0.2
    target[:200] += 0.5  # a fifth is something else altogether
    scale, shift, trust = robust_affine(values, target)
    assert (scale, shift) == (pytest.approx(0.3, abs=0.01), pytest.approx(0.2, abs=0.01))
    assert trust > 0.9


def test_the_depth_has_the_photos_size_and_the_structure_of_the_global_pass(demo: Estimator, tiled: Prediction) -> None:
    assert tiled.depth.shape == PIXELS.shape[:2]
    assert tiled.depth.dtype == np.float32
    assert tiled.processing_size == (600, 400)
    assert 0.0 <= tiled.depth.min() <= tiled.depth.max() <= 1.0
    plain = demo.estimate(PIXELS, SETTINGS, lambda *_: None, lambda: False).depth
    assert np.corrcoef(plain.ravel(), tiled.depth.ravel())[0, 1] > 0.97


def test_tiles_add_detail(demo: Estimator, tiled: Prediction) -> None:
    plain = demo.estimate(PIXELS, SETTINGS, lambda *_: None, lambda: False).depth
    assert _fine(tiled.depth) > 2.0 * _fine(plain)


def test_no_seam_shows(demo: Estimator, tiled: Prediction) -> None:
    """Across the borders of tiles, depth changes as it does elsewhere: over pictures whose own edges lie anywhere."""
    pictures = [_steps_at_borders(tiled.depth)]
    for picture in (data.coffee(), data.chelsea(), data.astronaut(), data.rocket()):
        middle = picture[:280, 100:380]
        for pixels in (middle, middle[:, ::-1].copy()):
            pictures.append(_steps_at_borders(in_tiles(demo, pixels, TO_FULL_SIZE).depth))
    across, beside = (np.concatenate(steps, -1) for steps in zip(*pictures, strict=True))
    for quantile in (0.5, 0.9):
        assert np.quantile(across, quantile) < 1.2 * np.quantile(beside, quantile) + 1e-4
    # the largest steps are those of an outline on a border (the astronaut's head): other columns have some as well,
    # and most pictures have none there
    assert np.quantile(across, 0.99) < 1.2 * np.quantile(beside, 0.99, axis=1).max() + 1e-4
    assert np.median([np.quantile(at, 0.99) / np.quantile(off, 0.99) for at, off in pictures]) < 1.2


def _steps_at_borders(depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Differences of neighbours [N] across the borders of the last level's tiles, and [8, N] at places beside them."""
    height, width = depth.shape
    level = plan_levels(height, width, 160, MAX_TILING)[-1]
    steps = np.abs(np.diff(depth, axis=1))
    edges = np.array(
        sorted({edge - 1 for left in level.lefts for edge in (left, left + level.tile_width)} - {-1, width - 1})
    )
    return steps[:, edges].ravel(), np.stack([steps[:, edges + off].ravel() for off in BESIDE])


def test_the_same_settings_give_the_same_depth(demo: Estimator) -> None:
    assert np.array_equal(in_tiles(demo).depth, in_tiles(demo).depth)


def test_no_tiles_where_the_photo_has_no_more_pixels(demo: Estimator) -> None:
    pixels = PIXELS[:100, :150]
    plain = demo.estimate(pixels, SETTINGS, lambda *_: None, lambda: False).depth
    assert np.abs(in_tiles(demo, pixels).depth - plain).max() < 1e-5


@pytest.mark.parametrize("size", [(1, 300), (300, 1), (3, 400)])
def test_strips(demo: Estimator, size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    depth = in_tiles(demo, pixels).depth
    assert depth.shape == size
    assert np.isfinite(depth).all()


def test_progress_counts_tiles_and_cancelling_takes_effect_within_one(demo: Estimator) -> None:
    seen: list[tuple[str, int, int]] = []
    (level,) = plan_levels(400, 600, 160, 1)
    total = 1 + len(level.tops) * len(level.lefts)
    with pytest.raises(MarigoldError) as caught:
        estimate_in_tiles(
            demo, PIXELS, SETTINGS, lambda *event: seen.append(event), lambda: ("denoising", 3, total) in seen
        )
    assert caught.value.kind == "cancelled"
    assert seen == [("denoising", done, total) for done in range(4)]


def test_a_killed_estimate_goes_on_where_it_stopped(demo: Estimator, tmp_path: Path) -> None:
    done = 0

    def report(_stage: str, tiles: int, _total: int) -> None:
        nonlocal done
        done = tiles

    with pytest.raises(MarigoldError):
        estimate_in_tiles(demo, PIXELS, SETTINGS, report, lambda: done >= 4, folder=tmp_path)
    kept = sorted(tmp_path.glob("*.npy"))
    assert len(kept) == 3
    kept[0].write_bytes(kept[0].read_bytes()[:100])  # cut short by the kill

    passes: list[int] = []
    hook = demo.checkpoint.unet.register_forward_pre_hook(lambda *_: passes.append(1))
    resumed = in_tiles(demo, folder=tmp_path)
    hook.remove()
    (level,) = plan_levels(400, 600, 160, 1)
    assert len(passes) == 1 + len(level.tops) * len(level.lefts) - 2
    assert np.array_equal(resumed.depth, in_tiles(demo).depth)


def test_tiles_that_cannot_be_kept_are_told_in_a_sentence(demo: Estimator, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MarigoldError) as caught:
        in_tiles(demo, folder=tmp_path / "file" / "tiles")
    assert caught.value.kind == "cannot_write"


def test_tiles_that_nobody_went_on_with_are_deleted(tmp_path: Path) -> None:
    for name, days in (("old", 31), ("new", 29)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1_0_0.npy").touch()
        os.utime(tmp_path / name, (0, time.time() - days * 24 * 3600))
    forget_old_tiles(tmp_path)
    assert [folder.name for folder in tmp_path.iterdir()] == ["new"]
    forget_old_tiles(tmp_path / "nowhere")


def _fine(depth: np.ndarray) -> float:
    """The energy of what the global pass cannot hold: the depth less itself at the processing resolution."""
    values = torch.from_numpy(depth)[None, None]
    coarse = torch.nn.functional.interpolate(values, (106, 160), mode="area")
    again = torch.nn.functional.interpolate(coarse, depth.shape, mode="bicubic")
    return float((values - again).square().mean())


@pytest.mark.parametrize(
    ("arguments", "doublings"), [([], 0), (["--tiles"], MAX_TILING), (["--tiles", "2"], 2), (["--tiles", "0"], 0)]
)
def test_the_command_lines_option(arguments: list[str], doublings: int) -> None:
    parser = argparse.ArgumentParser()
    add_settings_arguments(parser)
    assert settings_of(parser.parse_args(arguments)).tiling == doublings


@pytest.mark.parametrize("doublings", [-1, MAX_TILING + 1])
def test_impossible_doublings_are_refused(doublings: int) -> None:
    with pytest.raises(MarigoldError, match="tiling"):
        EstimateSettings(tiling=doublings).resolved(1, 160)
