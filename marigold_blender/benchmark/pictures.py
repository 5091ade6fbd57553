# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures to measure on, drawn on the spot: no photo has to be there. Called by `measures`."""

from __future__ import annotations

import numpy as np

SHAPES = 40


def draw_picture(seed: int, width: int, height: int) -> np.ndarray:
    """A picture [H, W, 3] uint8 with large shapes, edges and fine grain: another one for every seed."""
    chance = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    picture = (rows / height)[..., None] * chance.uniform(0.2, 1.0, 3).astype(np.float32)  # [H, W, 3]
    for _ in range(SHAPES):
        top, left = chance.uniform(0, height), chance.uniform(0, width)
        radius = chance.uniform(0.03, 0.2) * width
        inside = np.hypot(rows - top, columns - left) < radius
        picture[inside] = chance.uniform(0.0, 1.0, 3) * (0.6 + 0.4 * (rows[inside] - top) / radius)[:, None]
    picture += chance.normal(0.0, 0.02, picture.shape).astype(np.float32)
    return (picture.clip(0.0, 1.0) * 255.0).astype(np.uint8)


def draw_pan(seed: int, frames: int, width: int, height: int) -> list[np.ndarray]:
    """A clip: a camera that moves sideways over a picture, four pixels a frame."""
    whole = draw_picture(seed, width + 4 * frames, height)
    return [np.ascontiguousarray(whole[:, 4 * number : 4 * number + width]) for number in range(frames)]
