# SPDX-License-Identifier: GPL-3.0-or-later
"""Single-channel EXR files, written and read through OpenImageIO. Called by `write` and `read`."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813 - its own manual's name for it

CHANNEL = "Y"  # Blender reads a channel called Z or depth as zeros


def write_exr(values: np.ndarray, path: Path) -> None:
    """Write [H, W] float32 as one 32-bit channel called Y, compressed without loss.

    Raises:
        OSError: it cannot be written.
    """
    height, width = values.shape
    spec = oiio.ImageSpec(width, height, 1, "float")
    spec.channelnames = (CHANNEL,)
    spec["compression"] = "zip"
    file = oiio.ImageOutput.create("openexr")
    try:
        # With an array of two axes the library takes the second for channels and reads past the end.
        written = file.open(str(path), spec) and file.write_image(np.ascontiguousarray(values, np.float32)[..., None])
    finally:
        closed = file.close()
    if not (written and closed):
        raise why_not_written(path, file.geterror())


def read_exr(path: Path) -> np.ndarray:
    """The channel Y of an EXR, [H, W] float32.

    Raises:
        OSError: missing or damaged, or there is no such channel.
    """
    file = oiio.ImageInput.open(str(path))
    if file is None:
        raise OSError(oiio.geterror())
    try:
        spec = file.spec()
        if CHANNEL not in spec.channelnames:
            raise OSError(f"{path} has no channel {CHANNEL}")
        index = spec.channelnames.index(CHANNEL)
        values = file.read_image(0, 0, index, index + 1, oiio.FLOAT)
        if values is None:
            raise OSError(file.geterror())
        return np.asarray(values, np.float32).reshape(spec.height, spec.width)
    finally:
        file.close()


def why_not_written(path: Path, message: str) -> OSError:
    """The library tells of a full disk in words only: asked by writing some bytes, the system tells it by number."""
    try:
        with path.open("ab") as file:
            file.write(bytes(1 << 16))
    except OSError as error:
        return error
    return OSError(errno.EIO, message, str(path))
