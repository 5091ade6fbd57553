# SPDX-License-Identifier: GPL-3.0-or-later
"""Training views of a sample: the whole picture, tilts, crops down to an eighth, aspects, flips, photography."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from .dataset import Sample
from .depth_range import Sky, has_sky, nearest_depth, normalise_depth

ASPECTS = ((4, 3), (3, 4), (1, 1), (16, 10))
SMALLEST_CROP = 1 / 8
TILT, STRETCH = math.radians(5), 0.09  # spread; twice as much at most
TILTED_SHARE = (0.82, 1.0)  # of the largest tilted view that the picture holds
BLENDED = 0.05  # neighbouring pixels whose depths differ by less, as a share, lie on one surface

Shows = Literal["whole", "crop", "tilted"]


@dataclass(frozen=True)
class TrainingView:
    """What the VAE encodes.

    Attributes:
        rgb, depth: [H, W, 3] and [H, W] float32 in -1..1; valid: [H, W] bool.
        nearest: the near end's depth as a share of the range (see `nearest_depth`).
        has_sky: it is supervised as far, and the far end of `depth` is its own.
    """

    rgb: np.ndarray
    depth: np.ndarray
    valid: np.ndarray
    nearest: float
    has_sky: bool


def training_view(
    sample: Sample,
    rng: np.random.Generator,
    long_side: int,
    sky: Sky,
    *,
    shows: Shows,
    aspect: tuple[int, int] | None = None,
) -> TrainingView:
    """One augmented view of a sample.

    Args:
        long_side: longer edge of the result in pixels; the area stays about the same for every aspect.
        shows: the whole picture in its own aspect; most of it, turned and stretched a little; or a crop of random size
            and place.
        aspect: of a crop; None: any of ASPECTS.
    """
    height, width = sample.depth.shape
    picture = Image.fromarray(sample.rgb)
    if shows == "tilted":
        size = view_size(width / height, long_side)
        tilt = _random_tilt(rng, *size)
        picture = picture.resize(size, Image.Resampling.BILINEAR)
        picture = picture.transform(size, Image.Transform.AFFINE, tuple(tilt.ravel()), Image.Resampling.BILINEAR)
        across, down = _tilted_places(tilt, size)
        planar = _resampled(sample.depth, across * (width / size[0]) - 0.5, down * (height / size[1]) - 0.5)
    else:
        if shows == "whole":
            size, region = view_size(width / height, long_side), (0, 0, width, height)
        else:
            wide, high = aspect or ASPECTS[rng.integers(len(ASPECTS))]
            size = view_size(wide / high, long_side)
            region = _random_region(rng, width, height, size[0] / size[1])
        picture = picture.resize(size, Image.Resampling.BILINEAR, box=region)
        planar = _resampled(sample.depth, *_places(region, size))
    code, valid = normalise_depth(planar, sky)
    pixels = np.asarray(_photographed(picture, rng), np.float32) / 127.5 - 1
    if rng.random() < 0.5:
        pixels, code, valid = pixels[:, ::-1], code[:, ::-1], valid[:, ::-1]
    pixels, code, valid = (np.ascontiguousarray(part) for part in (pixels, code, valid))
    return TrainingView(pixels, code, valid, nearest_depth(planar), sky == "far" and has_sky(planar))


def _places(region: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Where the pixels of a view of a region lie in the picture, as indices: [1, W] across and [H, 1] down."""
    left, top, right, bottom = region
    across = left + (np.arange(size[0]) + 0.5) * (right - left) / size[0] - 0.5
    down = top + (np.arange(size[1]) + 0.5) * (bottom - top) / size[1] - 0.5
    return across[None], down[:, None]


def _random_tilt(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """[2, 3], from a view to the picture of the same size: turned a few degrees, stretched, nearly all of it.

    Neither changes planar depth: a camera that is rolled, and pixels that are not square.
    """
    angle = float(np.clip(rng.normal(0, TILT), -2 * TILT, 2 * TILT))
    stretch = math.exp(float(np.clip(rng.normal(0, STRETCH), -2 * STRETCH, 2 * STRETCH)))
    cosine, sine = math.cos(angle), math.sin(angle)
    linear = np.array([[cosine * stretch, -sine / stretch], [sine * stretch, cosine / stretch]])
    middle = np.array([width, height]) / 2
    reach = np.abs(linear) @ middle  # half the extent of the view in the picture
    share = float((middle / reach).min()) * rng.uniform(*TILTED_SHARE)
    room = np.maximum(middle - reach * share, 0)
    centre = middle + room * rng.uniform(-1, 1, 2)
    return np.column_stack([linear * share, centre - linear @ middle * share])


def _tilted_places(tilt: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Where the pixels' centres of a tilted view lie in the picture: [H, W] across and down."""
    across, down = np.arange(size[0])[None] + 0.5, np.arange(size[1])[:, None] + 0.5
    return tuple(row[0] * across + row[1] * down + row[2] for row in tilt)


def _resampled(depth: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Depth at places (indices that broadcast to [H, W]): bilinear on surfaces, nearest at edges and where unknown.

    Nearest everywhere would make stairs of every slope, which a network learns to draw.
    """
    (upper, lower, down), (before, after, across) = _between(rows, depth.shape[0]), _between(columns, depth.shape[1])
    corners = np.stack([depth[y, x] for y in (upper, lower) for x in (before, after)])  # [4, H, W]
    nearest = depth[np.where(down < 0.5, upper, lower), np.where(across < 0.5, before, after)]
    known = np.isfinite(corners).all(0)
    corners = np.where(known, corners, 1.0)
    surface = known & (corners.max(0) <= corners.min(0) * (1 + BLENDED))
    above = corners[0] * (1 - across) + corners[1] * across
    below = corners[2] * (1 - across) + corners[3] * across
    return np.where(surface, above * (1 - down) + below * down, nearest).astype(depth.dtype)


def _between(places: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of places along an axis: the pixel before, the one after, and how far on the way to it."""
    places = np.clip(places, 0, count - 1)
    before = places.astype(int)
    return before, np.minimum(before + 1, count - 1), places - before


def view_size(aspect: float, long_side: int) -> tuple[int, int]:
    """Width and height for an aspect, e.g. 256x192, 192x256, 224x224, 256x160 for 256.

    They are multiples of 32, up to a `long_side` of 128 of 16: coarser, 16:10 would be squeezed into 2:1.
    """
    unit = 32 if long_side > 128 else 16
    if 0.85 < aspect < 1.18:
        side = round(long_side * 0.875 / unit) * unit
        return side, side
    short = max(unit, round(long_side * min(aspect, 1 / aspect) / unit) * unit)
    return (long_side, short) if aspect > 1 else (short, long_side)


def _random_region(rng: np.random.Generator, width: int, height: int, aspect: float) -> tuple[int, int, int, int]:
    """A region of the given aspect: most cover 40 to 100 % of the largest possible, some as little as an eighth."""
    low, high = (0.4, 1.0) if rng.random() < 0.7 else (SMALLEST_CROP, 0.4)
    share = math.exp(rng.uniform(math.log(low), math.log(high)))
    w = max(8, round(min(width, height * aspect) * share))
    h = max(8, round(min(height, width / aspect) * share))
    left, top = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
    return left, top, left + w, top + h


def _photographed(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Changes that cameras and files make: exposure, contrast, saturation, white balance, blur, grain, JPEG."""
    if rng.random() < 0.7:
        picture = ImageEnhance.Brightness(picture).enhance(rng.uniform(0.6, 1.4))
        picture = ImageEnhance.Contrast(picture).enhance(rng.uniform(0.7, 1.3))
        picture = ImageEnhance.Color(picture).enhance(rng.uniform(0.3, 1.4) if rng.random() < 0.9 else 0.0)
    if rng.random() < 0.2:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.5)))
    pixels = np.asarray(picture, np.float32)
    if rng.random() < 0.4:
        pixels = pixels * rng.uniform(0.85, 1.15, 3)
    if rng.random() < 0.3:
        pixels = pixels + rng.normal(0, rng.uniform(1, 8), pixels.shape)
    picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    if rng.random() < 0.3:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=int(rng.integers(35, 95)))
        picture = Image.open(buffer)
    return picture
