# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what has more than 8 bits a channel through OpenImageIO. Called by `display_referred` and `scene_linear`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813 - its own manual's name for it

from ..picture_size import check_size
from .decoding_errors import damaged, not_a_photo

# Suffixes of the channel names that programs give to colour: R, red, ViewLayer.Combined.R …
COLOUR_NAMES = (("r", "red"), ("g", "green"), ("b", "blue"))


@dataclass(frozen=True)
class FloatPixels:
    """Pixels as they stand in a file.

    Attributes:
        colour: [H, W, 3] float32; not limited to [0, 1] where `scene_linear`.
        alpha: [H, W] float32, or None.
        scene_linear: True where the file holds floats, which are light and not display values.
    """

    colour: np.ndarray
    alpha: np.ndarray | None
    scene_linear: bool


def bits_of_tiff(path: Path) -> str | None:
    """OpenImageIO's name of a TIFF's numbers (`uint8`, `uint16`, `half`, `float` …), None if it cannot open it."""
    file = oiio.ImageInput.open(str(path))
    if file is None:
        oiio.geterror()  # or the library prints it when the process ends
        return None
    name = str(file.spec().format)
    file.close()
    return name


def read_float_pixels(path: Path) -> FloatPixels:
    """Read any file that OpenImageIO knows; colour as stored, alpha not multiplied in.

    Raises:
        MarigoldError: too large, not an image or damaged (`bad_input`).
    """
    wishes = oiio.ImageSpec()
    wishes["oiio:UnassociatedAlpha"] = 1
    file = oiio.ImageInput.open(str(path), wishes)
    if file is None:
        raise not_a_photo(path, oiio.geterror())
    try:
        spec, subimage = _colour_part(file)
        check_size(path.name, spec.full_width or spec.width, spec.full_height or spec.height)
        check_size(path.name, spec.width, spec.height)
        colour_index, alpha_index = _channels(spec.channelnames)
        stored = file.read_image(subimage, 0, 0, spec.nchannels, oiio.FLOAT)
        if stored is None:
            raise damaged(path, file.geterror())
    finally:
        file.close()
    stored = _in_frame(np.asarray(stored, np.float32).reshape(spec.height, spec.width, spec.nchannels), spec)
    return FloatPixels(
        colour=np.ascontiguousarray(stored[..., colour_index]),
        alpha=None if alpha_index is None else np.ascontiguousarray(stored[..., alpha_index]),
        scene_linear=str(spec.format) in ("half", "float", "double"),
    )


def _colour_part(file: oiio.ImageInput) -> tuple[oiio.ImageSpec, int]:
    """The first part of the file that holds colour, else the first one: multi-part EXRs may begin with depth."""
    index = 0
    while file.seek_subimage(index, 0):
        spec = file.spec()
        if len(set(_channels(spec.channelnames)[0])) == 3:
            return spec, index
        index += 1
    file.geterror()
    file.seek_subimage(0, 0)
    return file.spec(), 0


def _channels(names: Sequence[str]) -> tuple[list[int], int | None]:
    """Which channels are red, green and blue (the first one three times where it is all grey), and which is alpha."""
    last = [name.rsplit(".", 1)[-1].lower() for name in names]
    found = [next((index for index, name in enumerate(last) if name in wanted), None) for wanted in COLOUR_NAMES]
    alpha = next((index for index, name in enumerate(last) if name in ("a", "alpha")), None)
    if None not in found:
        return [index for index in found if index is not None], alpha
    grey = next((index for index in range(len(last)) if index != alpha), 0)
    return [grey] * 3, alpha


def _in_frame(stored: np.ndarray, spec: oiio.ImageSpec) -> np.ndarray:
    """The picture of the display window, which EXR files may fill in part or overfill."""
    width, height = spec.full_width or spec.width, spec.full_height or spec.height
    left, top = spec.x - spec.full_x, spec.y - spec.full_y
    if (left, top, width, height) == (0, 0, spec.width, spec.height):
        return stored
    frame = np.zeros((height, width, spec.nchannels), np.float32)
    x0, y0, x1, y1 = max(0, left), max(0, top), min(width, left + spec.width), min(height, top + spec.height)
    if x0 < x1 and y0 < y1:
        frame[y0:y1, x0:x1] = stored[y0 - top : y1 - top, x0 - left : x1 - left]
    return frame
