# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip: what is known of it before its frames are read, and its frames one after the other. Called by the worker."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ..clip_paths import is_movie
from ..errors import MarigoldError
from .movie import movie_frames, read_movie_size

PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".exr", ".hdr", ".bmp", ".heic", ".heif", ".avif")
NUMBERED = re.compile(r"^(.*?)(\d+)$")


@dataclass(frozen=True)
class Clip:
    """A movie or an image sequence.

    Attributes:
        path: the movie, or the folder of the sequence.
        name: stem for files made from it.
        kind: which of the two.
        files: of a sequence, by frame number; empty for a movie, whose frames count from 1.
        frame_count: for a movie, what its header says: some lie.
        fps: frames a second; 0 where a sequence does not say.
    """

    path: Path
    name: str
    kind: Literal["movie", "sequence"]
    files: dict[int, Path]
    frame_count: int
    fps: float


@dataclass(frozen=True)
class ClipFrame:
    """One frame: its number, and its file or (of a movie) its pixels [H, W, 3] uint8, sRGB."""

    number: int
    file: Path | None
    pixels: np.ndarray | None


def open_clip(path: Path) -> Clip:
    """Find out what a clip consists of.

    Args:
        path: a movie; a folder with numbered pictures; or one picture's path with `#` in the place of each digit of
            the number: `shot_####.png`.

    Raises:
        MarigoldError: there is nothing, it is no movie, or its frames are not numbered one after the other
            (`bad_input`).
    """
    path = Path(path)
    if is_movie(path):
        frame_count, fps = read_movie_size(path)
        return Clip(path, path.stem, "movie", {}, frame_count, fps)
    files = _sequence_files(path)
    missing = sorted(set(range(min(files), max(files) + 1)) - files.keys())
    if missing:
        raise MarigoldError("bad_input", f"The frame {missing[0]} of {path} is missing: a clip needs all its frames.")
    first = files[min(files)]
    numbered = NUMBERED.match(first.stem)
    name = (numbered[1] if numbered else "").rstrip("_-. ") or first.parent.name or "clip"
    return Clip(first.parent, name, "sequence", dict(sorted(files.items())), len(files), 0.0)


def fingerprint(clip: Clip) -> str:
    """A hash of the sizes and the times of a clip's files: another one when the clip was made anew."""
    files = list(clip.files.values()) or [clip.path]
    stats = [file.stat() for file in files]
    told = json.dumps([(file.name, stat.st_size, stat.st_mtime_ns) for file, stat in zip(files, stats, strict=True)])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def clip_frames(clip: Clip, wanted: set[int] | None = None) -> Iterator[ClipFrame]:
    """The frames of a clip in their order; `wanted`: only these.

    Raises:
        MarigoldError: a frame cannot be decoded (`bad_input`).
    """
    if clip.kind == "sequence":
        for number, file in clip.files.items():
            if wanted is None or number in wanted:
                yield ClipFrame(number, file, None)
        return
    for number, pixels in movie_frames(clip.path, wanted):
        yield ClipFrame(number, None, pixels)


def frame_numbers(clip: Clip) -> list[int]:
    """The numbers of all frames, as far as the clip tells before it is read."""
    return list(clip.files) if clip.kind == "sequence" else list(range(1, clip.frame_count + 1))


def _sequence_files(path: Path) -> dict[int, Path]:
    if "#" in path.name:
        folder = path.parent
        parts = re.split(r"#+", path.name)
        if len(parts) != 2:
            raise MarigoldError("bad_input", f"“{path.name}” has several places for a number: give one run of #.")
        matches = re.compile(re.escape(parts[0]) + r"(\d+)" + re.escape(parts[1]))
    elif path.is_dir():
        folder, matches = path, re.compile(rf".*?(\d+)({'|'.join(map(re.escape, PICTURES))})", re.IGNORECASE)
    else:
        raise MarigoldError(
            "bad_input", f"There is no clip {path}: give a movie, a folder, or a name like shot_####.png."
        )
    try:
        found = sorted(entry for entry in folder.iterdir() if matches.fullmatch(entry.name))
    except OSError as error:
        raise MarigoldError("bad_input", f"The folder {folder} cannot be read ({error.strerror}).") from error
    files = {int(matches.fullmatch(entry.name)[1]): entry for entry in found}  # type: ignore[index]
    if not files:
        raise MarigoldError("bad_input", f"There are no numbered pictures at {path}.")
    if len(files) != len(found):
        raise MarigoldError(
            "bad_input", f"{folder} holds several clips: name one like {found[0].stem}####{found[0].suffix}."
        )
    return files
