# SPDX-License-Identifier: GPL-3.0-or-later
"""Decodes movies with PyAV, frame by frame and exactly. Called by `clip`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import MarigoldError
from ..picture_size import check_size

HD_LINES = 720  # from here on colours without a name are BT.709, below BT.601, as all players take it


def read_movie_size(path: Path) -> tuple[int, float]:
    """Number of frames as the header says, and frames a second.

    Raises:
        MarigoldError: no movie that can be read (`bad_input`), or PyAV is missing (`no_runtime`).
    """
    av = _pyav()
    with _opened(av, path) as container:
        stream = container.streams.video[0]
        check_size(path.name, stream.width, stream.height)
        fps = float(stream.average_rate or stream.guessed_rate or 24)
        seconds = float(container.duration or 0) / 1_000_000
        return max(1, stream.frames or round(seconds * fps)), fps


def movie_frames(path: Path, wanted: set[int] | None) -> Iterator[tuple[int, np.ndarray]]:
    """Numbers, from 1, and pixels [H, W, 3] uint8 (sRGB, upright) of the frames; `wanted`: only these.

    Raises:
        MarigoldError: a frame is damaged (`bad_input`).
    """
    av = _pyav()
    last = max(wanted) if wanted else None
    number = 0
    with _opened(av, path) as container:
        container.streams.video[0].thread_type = "AUTO"
        try:
            for frame in container.decode(video=0):
                number += 1
                if wanted is None or number in wanted:
                    yield number, _pixels(frame)
                if number == last:
                    return
        except av.FFmpegError as error:
            raise MarigoldError(
                "bad_input", f"{path.name} is damaged after frame {number}: copy it again.", details=str(error)
            ) from error


def _pixels(frame: Any) -> np.ndarray:
    space = frame.colorspace
    if int(space) == 2:  # not named in the file
        space = "ITU709" if frame.height >= HD_LINES else "ITU601"
    rgb = frame.reformat(format="rgb24", src_colorspace=space).to_ndarray()
    turns = round(getattr(frame, "rotation", 0) / 90) % 4  # phones store upright movies lying, with a note
    return np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb


def _opened(av: ModuleType, path: Path) -> Any:
    if not path.is_file():
        raise MarigoldError("bad_input", f"There is no file {path}.")
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MarigoldError("bad_input", f"{path.name} is no movie that can be read.", details=str(error)) from error
    if not container.streams.video:
        container.close()
        raise MarigoldError("bad_input", f"{path.name} has no pictures in it, only sound.")
    return container


def _pyav() -> ModuleType:
    try:
        import av
    except ImportError as error:
        raise MarigoldError(
            "no_runtime",
            "Movies need the library PyAV: install it into the worker's Python, or give an image sequence.",
        ) from error
    av.logging.set_level(av.logging.ERROR)
    return av
