# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads scene data sets (`rgb/NAME.png|jpg`, `depth/NAME.exr|npy`) for training and evaluation."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..errors import MarigoldError

RGB_SUFFIXES = (".png", ".jpg", ".jpeg")
DEPTH_SUFFIXES = (".npy", ".exr")


@dataclass(frozen=True)
class Sample:
    """One picture with its truth.

    Attributes:
        rgb: [H, W, 3] uint8, sRGB.
        depth: [H, W] float32, planar depth; non-finite or <= 0 where there is none (sky, holes).
    """

    name: str
    rgb: np.ndarray
    depth: np.ndarray

    @property
    def valid(self) -> np.ndarray:
        return np.isfinite(self.depth) & (self.depth > 0)


@dataclass(frozen=True)
class SampleFile:
    """A sample that is still on disk; `read` raises MarigoldError if it is damaged."""

    name: str
    read: Callable[[], Sample]


def list_scene_data_set(folder: Path, skip: Callable[[str], bool] = lambda name: False) -> list[SampleFile]:
    """The samples of a scene data set, by name; pictures without depth and depth without a picture are left out.

    Raises:
        MarigoldError: the folder has no pair of picture and depth.
    """
    pictures = _by_stem(folder / "rgb", RGB_SUFFIXES)
    depths = _by_stem(folder / "depth", DEPTH_SUFFIXES)
    names = sorted(name for name in pictures.keys() & depths.keys() if not skip(name))
    if not names:
        raise MarigoldError("bad_input", f"{folder} has no pictures in rgb/ with depth of the same name in depth/.")
    return [_scene_file(name, pictures[name], depths[name]) for name in names]


def _scene_file(name: str, picture: Path, depth: Path) -> SampleFile:
    return SampleFile(name, lambda: checked(Sample(name, read_rgb(picture), read_depth(depth)), picture.parent.parent))


def checked(sample: Sample, source: Path) -> Sample:
    """The sample, if picture and depth fit each other and some depth is valid."""
    if sample.rgb.shape[:2] != sample.depth.shape:
        raise MarigoldError("bad_input", f"Picture and depth of “{sample.name}” in {source} differ in size.")
    if sample.valid.sum() < 16:
        raise MarigoldError("bad_input", f"The depth of “{sample.name}” in {source} has no valid pixels.")
    return sample


def read_rgb(path: Path) -> np.ndarray:
    """[H, W, 3] uint8 of an 8-bit picture."""
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, UnidentifiedImageError, SyntaxError, struct.error) as error:
        raise MarigoldError(
            "bad_input", f"The picture {path} is damaged or cannot be read.", details=str(error)
        ) from error


def read_depth(path: Path) -> np.ndarray:
    """[H, W] float32 of an .npy or .exr file (of an .exr the first channel)."""
    try:
        depth = read_npy(path) if path.suffix == ".npy" else read_exr(path)
    except (OSError, ValueError, EOFError) as error:
        raise MarigoldError(
            "bad_input", f"The depth {path} is damaged or cannot be read.", details=str(error)
        ) from error
    depth = depth[..., 0] if depth.ndim == 3 else depth
    if depth.ndim != 2:
        raise MarigoldError("bad_input", f"The depth {path} is not a picture with one channel.")
    return np.asarray(depth, np.float32)


def read_npy(path: Path) -> np.ndarray:
    return np.asarray(np.load(io.BytesIO(path.read_bytes()), allow_pickle=False))


def read_exr(path: Path) -> np.ndarray:
    """[H, W, C] float32."""
    import OpenImageIO as oiio  # noqa: N813  (only needed for this format)

    source = oiio.ImageInput.open(str(path))
    if source is None:
        raise OSError(oiio.geterror())
    try:
        pixels = source.read_image("float")
        if pixels is None:
            raise OSError(source.geterror())
    finally:
        source.close()
    return np.asarray(pixels)


def _by_stem(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    return {path.stem: path for path in folder.iterdir() if path.suffix.lower() in suffixes and path.name[0] != "."}
