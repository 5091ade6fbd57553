# SPDX-License-Identifier: GPL-3.0-or-later
"""A sharp picture and its blur radii in, the picture with depth of field out, tile by tile. Called by `job`.

The method is a layered one: surfaces (`surfaces`), slices of them by blur radius (`slices`), each spread by the bokeh
and composited with occlusion (`compositing`). Its truth is Cycles' own thin lens: see docs/depth-of-field.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch

from .bokeh import SHARP, Bokeh
from .compositing import composite
from .surfaces import find_surfaces

TILE_PX = 512
LARGEST_TILE_PX = 1024
MOST_WORKERS = 8  # each holds a tile and its surroundings


def blur_picture(
    light: np.ndarray,
    radius: np.ndarray,
    bokeh: Bokeh,
    report: Callable[[int, int], None] = lambda done, total: None,
    device: torch.device | None = None,
) -> np.ndarray:
    """The picture as a lens would have taken it.

    Args:
        light: [H, W, C] float32, linear; colours multiplied with alpha where C is 4.
        radius: [H, W] float32, signed radius of the blur circle in pixels (`geometry.thin_lens`), finite.
        report: called with (tiles done, tiles) after each tile; may raise to cancel.

    Returns:
        [H, W, C] float32.
    """
    device = device or torch.device("cpu")
    height, width = radius.shape
    reach = math.ceil(float(np.abs(radius).max()))
    size = min(max(TILE_PX, 2 * reach), LARGEST_TILE_PX)
    tiles = [(y, x) for y in range(0, height, size) for x in range(0, width, size)]
    blurred = np.empty_like(light)

    def blur_one(corner: tuple[int, int]) -> None:
        y, x = corner
        part = (slice(y, min(y + size, height)), slice(x, min(x + size, width)))
        blurred[part] = _blur_tile(light, radius, part, reach, bokeh, device)

    with _workers(device) as run:
        for done, _ in enumerate(run(blur_one, tiles)):
            report(done + 1, len(tiles))
    return blurred


@contextmanager
def _workers(device: torch.device) -> Iterator[Callable[..., Iterator[None]]]:
    """A `map` that blurs tiles beside each other on a processor, each on one core.

    One tile on all cores is slower: the threads of torch wait for each other after every small step, and on a busy
    machine far longer than the step takes.
    """
    cores = torch.get_num_threads()
    if device.type != "cpu" or cores == 1:
        yield map
        return
    torch.set_num_threads(1)
    pool = ThreadPoolExecutor(min(cores, MOST_WORKERS), initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(cores)


def _blur_tile(
    light: np.ndarray,
    radius: np.ndarray,
    part: tuple[slice, slice],
    reach: int,
    bokeh: Bokeh,
    device: torch.device,
) -> np.ndarray:
    """One tile, from the pixels that can spread light into it; the picture's border is continued as it ends."""
    local = math.ceil(float(np.abs(radius[_around(part, radius.shape, reach)]).max()))
    if local <= SHARP:
        return light[part]
    # Light comes from `local` away, and what is made up there behind edges from twice as far (`surfaces`).
    margin = 3 * local + 6
    rows, columns = (_clamped(axis, margin, size) for axis, size in zip(part, radius.shape, strict=True))
    near_light = torch.from_numpy(np.ascontiguousarray(light[rows[:, None], columns].transpose(2, 0, 1))).to(device)
    near_radius = torch.from_numpy(radius[rows[:, None], columns]).to(device)
    made = composite(find_surfaces(near_light, near_radius).cropped(margin - local - 1), bokeh)
    inner = made[:, local + 1 : made.shape[1] - local - 1, local + 1 : made.shape[2] - local - 1]
    return inner.permute(1, 2, 0).cpu().numpy()


def _around(part: tuple[slice, slice], shape: tuple[int, ...], reach: int) -> tuple[slice, slice]:
    rows, columns = part
    return (
        slice(max(0, rows.start - reach), min(shape[0], rows.stop + reach)),
        slice(max(0, columns.start - reach), min(shape[1], columns.stop + reach)),
    )


def _clamped(axis: slice, margin: int, size: int) -> np.ndarray:
    return np.arange(axis.start - margin, axis.stop + margin).clip(0, size - 1)
