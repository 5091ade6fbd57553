# SPDX-License-Identifier: GPL-3.0-or-later
"""Depth in more detail than the network's own resolution has, by tiles. Called by the worker's `warm_estimator`.

One global pass settles the structure. Each level above has twice the size, up to the photo's own: tiles of the
network's resolution overlap on it, each is fitted to the level below, and smooth windows blend them. Memory holds the
photo, two levels and one tile; finished tiles lie on disk, so a killed estimate goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ..errors import MarigoldError
from ..settings import EstimateSettings
from .cancelling import stop_if
from .estimator import Estimator, Prediction, Report
from .resampling import processing_size, resize_pixels, to_photo_size
from .tile_fitting import fit_tile

OVERLAP = 1 / 4  # of a tile's edge, at least
KEPT_S = 30 * 24 * 3600  # tiles of an estimate that nobody went on with are deleted after this time


@dataclass(frozen=True)
class Tile:
    """One tile of a level, in that level's pixels; `name` is that of its file."""

    name: str
    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class Level:
    """One level: its size, where tiles start along each axis, and how large they are."""

    number: int
    height: int
    width: int
    tops: tuple[int, ...]
    lefts: tuple[int, ...]
    tile_height: int
    tile_width: int

    def tiles(self) -> Iterator[Tile]:
        for row, top in enumerate(self.tops):
            for column, left in enumerate(self.lefts):
                yield Tile(f"{self.number}_{row}_{column}", top, left, self.tile_height, self.tile_width)


def plan_levels(height: int, width: int, resolution: int, doublings: int) -> list[Level]:
    """The levels above the global pass.

    Args:
        height, width: of the photo; no level is larger.
        resolution: long edge of the global pass, and edge of the tiles.
        doublings: levels at most.
    """
    levels = []
    for number in range(1, doublings + 1):
        longest = min(resolution * 2**number, max(height, width))
        if longest <= resolution * 2 ** (number - 1):
            break
        level_height, level_width = processing_size(height, width, longest)
        tops, tile_height = _starts(level_height, resolution)
        lefts, tile_width = _starts(level_width, resolution)
        levels.append(Level(number, level_height, level_width, tops, lefts, tile_height, tile_width))
    return levels


def estimate_in_tiles(
    estimator: Estimator,
    pixels: np.ndarray,
    settings: EstimateSettings,
    report: Report,
    cancelled: Callable[[], bool],
    *,
    folder: Path | None = None,
) -> Prediction:
    """Depth of one photo, refined over `settings.tiling` levels of tiles.

    Args:
        pixels: [H, W, 3] uint8, or float32 in [0, 1]; sRGB-encoded.
        settings: resolved; the ensemble is of the global pass, a tile is a single prediction.
        report: told of `denoising`: the global pass and each tile count one.
        cancelled: asked before every layer.
        folder: where finished tiles are kept, and found again; named by all that decides them. None keeps none.

    Raises:
        MarigoldError: as `Estimator.estimate`; `cannot_write` where the tiles cannot be kept.
    """
    height, width = pixels.shape[:2]
    levels = plan_levels(height, width, settings.resolution, settings.tiling)
    total = 1 + sum(len(level.tops) * len(level.lefts) for level in levels)
    report("denoising", 0, total)
    # At the size of the network: the levels, not a resampled photo, carry on from here.
    whole = processing_size(height, width, settings.resolution)
    first = estimator.estimate(resize_pixels(pixels, *whole), settings, _silent, cancelled)
    report("denoising", 1, total)
    depth, done = torch.from_numpy(first.depth), 1
    alone = replace(settings, ensemble=1, resolution=0)
    for level in levels:
        refined = torch.zeros(level.height, level.width)
        across = _windows(level.lefts, level.tile_width, level.width)
        down = _windows(level.tops, level.tile_height, level.height)
        for tile in level.tiles():
            stop_if(cancelled)

            def estimate(tile: Tile = tile, level: Level = level) -> np.ndarray:
                seen = _seen_by(tile, level, pixels)  # [h, w, 3]
                return estimator.estimate(seen, alone, _silent, cancelled).depth

            values = torch.from_numpy(_kept(folder, tile, estimate))  # [h, w]
            rows, columns = slice(tile.top, tile.top + tile.height), slice(tile.left, tile.left + tile.width)
            fitted = fit_tile(values, enlarged(depth, level, tile))
            refined[rows, columns] += fitted * down[tile.top][:, None] * across[tile.left]
            done += 1
            report("denoising", done, total)
        depth = refined.clamp_(0.0, 1.0)
    uncertainty = first.uncertainty
    return Prediction(
        depth.numpy() if tuple(depth.shape) == (height, width) else to_photo_size(depth, height, width),
        None if uncertainty is None else to_photo_size(torch.from_numpy(uncertainty), height, width),
        (depth.shape[1], depth.shape[0]),
        first.dtype,
    )


def enlarged(below: torch.Tensor, level: Level, tile: Tile) -> torch.Tensor:
    """What the level below has at a tile, bilinearly: [h, w]. Only the tile is ever enlarged."""
    rows, row_share = _between(tile.top, tile.height, below.shape[0], level.height)
    columns, column_share = _between(tile.left, tile.width, below.shape[1], level.width)
    last_row, last_column = below.shape[0] - 1, below.shape[1] - 1
    upper, lower = below[rows], below[(rows + 1).clamp(max=last_row)]  # [h, w']
    lines = torch.lerp(upper, lower, row_share[:, None])
    return torch.lerp(lines[:, columns], lines[:, (columns + 1).clamp(max=last_column)], column_share)


def _between(start: int, count: int, size_below: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """For pixels of a level, along one axis: the pixel of the level below before each, and how far beyond it lies."""
    centres = (torch.arange(start, start + count, dtype=torch.float64) + 0.5) * size_below / size - 0.5
    centres = centres.clamp(0.0, size_below - 1.0)
    before = centres.floor()
    return before.long(), (centres - before).float()


def _starts(size: int, edge: int) -> tuple[tuple[int, ...], int]:
    """Where tiles start along an axis, evenly and overlapping by `OVERLAP` or more; and their edge."""
    if size <= edge:
        return (0,), size
    count = math.ceil((size - edge * OVERLAP) / (edge * (1.0 - OVERLAP)))
    return tuple(round(index * (size - edge) / (count - 1)) for index in range(count)), edge


def _windows(starts: tuple[int, ...], edge: int, size: int) -> dict[int, torch.Tensor]:
    """The weight of each tile along an axis, [edge]: raised cosines over the overlaps that sum to 1 everywhere."""
    windows = {}
    position = torch.arange(edge) + 0.5
    for index, start in enumerate(starts):
        window = torch.ones(edge)
        if index > 0:
            overlap = starts[index - 1] + edge - start
            window *= 0.5 - 0.5 * torch.cos(math.pi * (position / overlap).clamp(max=1.0))
        if index < len(starts) - 1:
            overlap = start + edge - starts[index + 1]
            window *= 0.5 - 0.5 * torch.cos(math.pi * ((edge - position) / overlap).clamp(max=1.0))
        windows[start] = window
    total = torch.zeros(size)
    for start, window in windows.items():
        total[start : start + edge] += window
    return {start: window / total[start : start + edge] for start, window in windows.items()}


def _seen_by(tile: Tile, level: Level, pixels: np.ndarray) -> np.ndarray:
    """The part of the photo under a tile, at the level's size: [h, w, 3] float32 in [0, 1]."""
    rows = [round(edge * pixels.shape[0] / level.height) for edge in (tile.top, tile.top + tile.height)]
    columns = [round(edge * pixels.shape[1] / level.width) for edge in (tile.left, tile.left + tile.width)]
    return resize_pixels(pixels[slice(*rows), slice(*columns)], tile.height, tile.width)


def _kept(folder: Path | None, tile: Tile, estimate: Callable[[], np.ndarray]) -> np.ndarray:
    """The tile's depth [h, w], from an interrupted run if it got that far."""
    if folder is None:
        return estimate()
    path = folder / f"{tile.name}.npy"
    try:
        values: np.ndarray = np.load(path, allow_pickle=False)
        if values.shape == (tile.height, tile.width) and values.dtype == np.float32:
            return values
    except (OSError, ValueError, EOFError):
        pass  # not there yet, or damaged: estimated afresh
    values = estimate()
    beside = path.with_name(f".{os.getpid()}.npy")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        np.save(beside, values)
        beside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):  # it may not be there at all
            beside.unlink()
        raise MarigoldError(
            "cannot_write", f"Tiles cannot be kept in “{folder}” ({error.strerror}): free some space there."
        ) from error
    return values


def forget_old_tiles(root: Path) -> None:
    """Delete the tiles of estimates that were given up long ago; `root` holds a folder for each."""
    with contextlib.suppress(OSError):  # there are none, or they are not ours to delete
        for folder in root.iterdir():
            if time.time() - folder.stat().st_mtime > KEPT_S:
                shutil.rmtree(folder, ignore_errors=True)


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Stages within a tile: the tiles are what is counted."""
