# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each pixel of a frame was in another frame, and how sure that is. Called by `steady_frames`.

Iterative Lucas-Kanade on a pyramid (Bouguet 2000; Le Besnerais & Champagnat 2005 for all pixels at once), on pictures
whose brightness and contrast are evened out locally, so that neither exposure nor a lamp that flickers counts as
motion. It starts from the shift of the whole frame, by phase correlation (Kuglin & Hines 1975).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it

from .ensembling import lower_median

LONG_EDGE = 320  # at which motion is sought: finer costs more than it tells
SMALLEST_EDGE = 12  # of the pyramid's coarsest level
WINDOW = 4  # radius, in pixels of each level, over which motion counts as one
REPEATS = 4  # on every level
STIFFNESS = 0.01  # how strongly plain surfaces keep the motion of the level above
LARGEST_STEP = 2.0  # pixels that one repeat may correct
EVENED_RADIUS = 8  # of the neighbourhood that brightness and contrast are evened out over
NOISE_FLOOR = 0.02  # of brightness: contrast below is not amplified
AGREE_PX, AGREE_SHARE = 0.5, 0.05  # by which there and back may differ: pixels, and share of the motion's length
LOOK_ALIKE = 0.6  # difference of evened-out pictures at which two pixels half look alike


@dataclass(frozen=True)
class Motion:
    """The motion from a frame to another.

    Attributes:
        flow: [2, h, w] float32, x and y in pixels: what is at (x, y) here is at (x, y) + flow there.
        confidence: [h, w] float32 in [0, 1]; 0 where the other frame does not show it.
    """

    flow: torch.Tensor
    confidence: torch.Tensor

    @property
    def seen(self) -> float:
        """The share of this frame that the other one shows too."""
        return float(self.confidence.mean())


def evened_out(pixels: np.ndarray) -> torch.Tensor:
    """The picture that motion is sought in: brightness [h, w] of `LONG_EDGE` at most, evened out locally.

    Args:
        pixels: [H, W, 3] uint8, or float32 in [0, 1].
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, LONG_EDGE / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    light = torch.zeros(1, 1, *size)
    for index, share in enumerate((0.299, 0.587, 0.114)):  # BT.601
        channel = torch.tensor(pixels[None, None, :, :, index], dtype=torch.float32)  # [1, 1, H, W], a copy
        if pixels.dtype == np.uint8:
            channel.div_(255.0)
        light += share * F.interpolate(channel, size, mode="bilinear", antialias=True)
    mean = box_means(light, EVENED_RADIUS)
    spread = (box_means(light * light, EVENED_RADIUS) - mean * mean).clamp_(min=0.0).sqrt_()
    return ((light - mean) / (spread + NOISE_FLOOR))[0, 0]


def find_motion(here: torch.Tensor, there: torch.Tensor, start: torch.Tensor | None = None) -> Motion:
    """The motion from `here` to `there`, both from `evened_out`.

    Args:
        start: [2, h, w] a guess to refine; None: the shift of the whole frame.
    """
    with _one_thread():
        flow = _refined(here, there, start)
        back = _refined(there, here, None if start is None else -warped(start, start))
        return Motion(flow, _confidence(here, there, flow, back))


def warped(values: torch.Tensor, flow: torch.Tensor, mode: str = "bilinear") -> torch.Tensor:
    """What `values` [C, h, w] of the other frame are at this frame's pixels; beyond the border its pixels go on."""
    height, width = flow.shape[1:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    x = (columns + flow[0] + 0.5) * (2.0 / width) - 1.0
    y = (rows + flow[1] + 0.5) * (2.0 / height) - 1.0
    grid = torch.stack([x, y], dim=-1)[None]  # [1, h, w, 2]
    return F.grid_sample(values[None], grid, mode=mode, padding_mode="border", align_corners=False)[0]


def resized(flow: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """A flow in pixels of another size."""
    larger = F.interpolate(flow[None], (height, width), mode="bilinear")[0]
    return larger * torch.tensor([width / flow.shape[2], height / flow.shape[1]]).reshape(2, 1, 1)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Many steps on small pictures: threads would wait for each other most of the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _refined(here: torch.Tensor, there: torch.Tensor, start: torch.Tensor | None) -> torch.Tensor:
    """Lucas-Kanade from the coarsest level to the finest."""
    pyramid = [(here[None, None], there[None, None])]
    while min(pyramid[-1][0].shape[2:]) >= 2 * SMALLEST_EDGE and (start is None or len(pyramid) < 3):
        pyramid.append((_halved(pyramid[-1][0]), _halved(pyramid[-1][1])))
    coarse, other = pyramid[-1]
    flow = _whole_shift(coarse, other) if start is None else resized(start, *coarse.shape[2:])
    for here_level, there_level in reversed(pyramid):
        flow = resized(flow, *here_level.shape[2:])
        for _ in range(REPEATS):
            flow = flow + _correction(here_level, there_level, flow)
        flow = _median(flow)
    return flow


def _correction(here: torch.Tensor, there: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """One step of Gauss-Newton in every window: [2, h, w]."""
    moved = warped(there[0], flow)[None]  # [1, 1, h, w]
    across, down = _gradients((moved + here) / 2.0)
    left = here - moved
    # What does not look alike (another surface in the window) counts less.
    weight = 1.0 / (1.0 + (left / LOOK_ALIKE) ** 2)
    products = torch.cat([across * across, across * down, down * down, across * left, down * left], dim=1)
    xx, xy, yy, xt, yt = box_means(products * weight, WINDOW)[0]
    xx, yy = xx + STIFFNESS, yy + STIFFNESS
    determinant = xx * yy - xy * xy
    step = torch.stack([yy * xt - xy * yt, xx * yt - xy * xt]) / determinant
    return step.clamp(-LARGEST_STEP, LARGEST_STEP)


def _confidence(here: torch.Tensor, there: torch.Tensor, flow: torch.Tensor, back: torch.Tensor) -> torch.Tensor:
    """How sure a motion is: both ways agree, both ends look alike, the other end is within the frame."""
    height, width = here.shape
    apart = ((flow + warped(back, flow)) ** 2).sum(dim=0)
    allowed = AGREE_PX**2 + AGREE_SHARE**2 * (flow**2).sum(dim=0)
    agrees = 1.0 / (1.0 + (apart / allowed) ** 2)
    left = here - warped(there[None], flow)[0]
    alike = 1.0 / (1.0 + box_means(left[None, None] ** 2, 1)[0, 0] / LOOK_ALIKE**2)
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    x, y = columns + flow[0], rows + flow[1]
    within = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    return agrees * alike * within


def _whole_shift(here: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    """The shift of the whole frame as a flow [2, h, w], by phase correlation; none where the peak is no clear one."""
    height, width = here.shape[2:]
    window = torch.hann_window(height, periodic=False)[:, None] * torch.hann_window(width, periodic=False)
    one, other = torch.fft.rfft2(here[0, 0] * window), torch.fft.rfft2(there[0, 0] * window)
    cross = other * one.conj()
    surface = torch.fft.irfft2(cross / (cross.abs() + 1e-6), s=(height, width))
    peak = int(surface.argmax())
    flow = torch.zeros(2, height, width)
    if float(surface.flatten()[peak]) < 5.0 / math.sqrt(height * width):
        return flow
    row, column = divmod(peak, width)
    flow[0] = column - width if column > width // 2 else column
    flow[1] = row - height if row > height // 2 else row
    return flow


def _halved(picture: torch.Tensor) -> torch.Tensor:
    size = [max(1, (edge + 1) // 2) for edge in picture.shape[2:]]
    return F.interpolate(picture, size, mode="bilinear", antialias=True)


def _gradients(picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Central differences along x and y of [1, 1, h, w]."""
    padded = F.pad(picture, (1, 1, 1, 1), mode="replicate")
    across = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2.0
    down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2.0
    return across, down


def box_means(values: torch.Tensor, radius: int) -> torch.Tensor:
    """Means over squares of [1, C, h, w]; at the border over what there is of them."""
    for axis in (3, 2):
        there = torch.ones(values.shape[axis]).reshape((-1, 1) if axis == 2 else (1, -1))[None, None]
        values = _sums(values, radius, axis) / _sums(there, radius, axis)
    return values


def _sums(values: torch.Tensor, radius: int, axis: int) -> torch.Tensor:
    """Sums of the `2 * radius + 1` neighbours along an axis of [1, C, h, w], zeros beyond the border.

    Sums of 1, 2, 4, ... pixels make up the window: additions of whole pictures, far quicker than pooling.
    """
    size, window = values.shape[axis], 2 * radius + 1
    part = F.pad(values, (radius, radius) if axis == 3 else (0, 0, radius, radius))  # of `length` pixels from each on
    total, start, length = torch.zeros_like(values), 0, 1
    while True:
        if window & length:
            total += part.narrow(axis, start, size)
            start += length
        if 2 * length > window:
            return total
        kept = part.shape[axis] - length
        part = part.narrow(axis, 0, kept) + part.narrow(axis, length, kept)
        length *= 2


def _median(flow: torch.Tensor) -> torch.Tensor:
    """The median of 3 x 3 neighbours of [2, h, w]: single wrong motions go, edges of motion stay."""
    padded = F.pad(flow[None], (1, 1, 1, 1), mode="replicate")
    height, width = flow.shape[1:]
    places = [(row, column) for row in range(3) for column in range(3)]
    return lower_median(torch.stack([padded[0, :, r : r + height, c : c + width] for r, c in places]))
