# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads Virtual KITTI 2 as it is downloaded (`Scene01/clone/frames/rgb/Camera_0/rgb_00000.jpg`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..errors import MarigoldError
from .dataset import Sample, SampleFile, checked, read_rgb

FAR_M = 80.0
CROP = (1216, 352)  # width and height of KITTI's benchmark crop, which the official code trains on


def list_virtual_kitti(folder: Path) -> list[SampleFile]:
    """Every frame that has both picture and depth.

    Raises:
        MarigoldError: there is none.
    """
    samples = []
    for depth in sorted(folder.glob("Scene*/*/frames/depth/Camera_*/depth_*.png")):
        camera, frames = depth.parent.name, depth.parents[2]
        picture = frames / "rgb" / camera / f"{depth.stem.replace('depth', 'rgb')}.jpg"
        if picture.exists():
            name = "_".join([frames.parents[1].name, frames.parent.name, camera, depth.stem.removeprefix("depth_")])
            samples.append(_sample_file(name, picture, depth))
    if not samples:
        raise MarigoldError("bad_input", f"{folder} has no Virtual KITTI 2 frames with picture and depth.")
    return samples


def _sample_file(name: str, picture: Path, depth: Path) -> SampleFile:
    def read() -> Sample:
        sample = checked(Sample(name, read_rgb(picture), metres(_read(depth))), depth.parent)
        return Sample(name, benchmark_crop(sample.rgb), benchmark_crop(sample.depth))

    return SampleFile(name, read)


def metres(centimetres: np.ndarray) -> np.ndarray:
    """16-bit centimetres to metres; inf beyond 80 m, which includes the sky (655.35 m)."""
    depth = centimetres.astype(np.float32) / 100
    return np.where(depth > FAR_M, np.float32(np.inf), depth)


def benchmark_crop(pixels: np.ndarray) -> np.ndarray:
    """The lower middle part, as in KITTI's benchmark; smaller pictures stay whole."""
    height, width = pixels.shape[:2]
    left = max(0, (width - CROP[0]) // 2)
    return pixels[max(0, height - CROP[1]) :, left : left + CROP[0]]


def _read(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as picture:
            return np.asarray(picture)
    except (OSError, UnidentifiedImageError, SyntaxError) as error:
        raise MarigoldError(
            "bad_input", f"The depth {path} is damaged or cannot be read.", details=str(error)
        ) from error
