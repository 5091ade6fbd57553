# SPDX-License-Identifier: GPL-3.0-or-later
"""The depth of a clip on disk: `NAME_####_depth.exr` for every frame, and one record, `NAME_depth.json`.

Frames are 32-bit float, one channel Y, 0 near .. 1 far, as those of photos. The record says on which common scale they
are: `method` is *steady* where the frames of a shot are on that of its first frame, and *independent* where each frame
was estimated by itself, so that the scale is only roughly the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..depth_files.exr import read_exr, write_exr
from ..depth_files.replacing import replacing
from ..errors import MarigoldError
from ..record import DepthRecord

FORMAT = 1
DIGITS = 4
RECORD_SUFFIX = "_depth.json"
DEPTH_FILE = re.compile(r"(.*)_(\d+)_depth\.exr")


@dataclass(frozen=True)
class DepthSequence:
    """The depth of a clip.

    Attributes:
        folder, name: where it lies and the stem of its files.
        method: how the frames were brought to one scale.
        record: of one frame, for what they share: model, settings, sizes, camera.
        frames: numbers of the frames that are there.
    """

    folder: Path
    name: str
    method: str
    record: DepthRecord
    frames: tuple[int, ...]

    def read(self, number: int) -> np.ndarray:
        """A frame's depth [H, W].

        Raises:
            MarigoldError: the frame is missing or damaged (`bad_input`).
        """
        path = depth_path(self.folder, self.name, number)
        try:
            depth = read_exr(path)
        except OSError as error:
            raise MarigoldError(
                "bad_input", f"The depth of frame {number} is missing in {self.folder}: estimate the clip again."
            ) from error
        if depth.shape != (self.record.height, self.record.width):
            raise MarigoldError("bad_input", f"{path} has another size than its clip: estimate the clip again.")
        return depth


def depth_path(folder: Path, name: str, number: int) -> Path:
    """Where the depth of a frame stands."""
    return folder / f"{name}_{number:0{DIGITS}}_depth.exr"


def record_path(folder: Path, name: str) -> Path:
    return folder / f"{name}{RECORD_SUFFIX}"


def write_frame(folder: Path, name: str, number: int, depth: np.ndarray) -> None:
    """Write one frame, whole or not at all.

    Raises:
        MarigoldError: it cannot be written (`cannot_write`).
    """
    path = depth_path(folder, name, number)
    with replacing(folder) as files:
        write_exr(depth, files.new(path))


def record_content(
    record: DepthRecord, method: str, deciding: Mapping[str, Any], shots: Sequence[int] = ()
) -> dict[str, Any]:
    """What the record says besides the frames.

    Args:
        deciding: what the frames depend on.
        shots: number of each shot's first frame, where that is known.
    """
    about = {"format": FORMAT, "method": method, "deciding": dict(deciding), "record": record.to_json()}
    return {**about, "shots": list(shots)} if shots else about


def open_depth_sequence(path: Path) -> DepthSequence:
    """Open a depth sequence by its folder or its record.

    Raises:
        MarigoldError: there is none, or several, or its record is damaged (`bad_input`).
    """
    path = Path(path)
    records = sorted(path.glob(f"*{RECORD_SUFFIX}")) if path.is_dir() else [path]
    if len(records) != 1 or not records[0].is_file():
        raise MarigoldError("bad_input", f"{path} does not hold the depth of one clip: give its folder or its record.")
    try:
        content = json.loads(records[0].read_text(encoding="utf-8"))
        record, method = DepthRecord.from_json(content["record"]), str(content["method"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MarigoldError(
            "bad_input", f"{records[0]} is no record of a clip's depth: estimate the clip again.", details=str(error)
        ) from error
    folder, name = records[0].parent, records[0].name.removesuffix(RECORD_SUFFIX)
    frames = (DEPTH_FILE.fullmatch(entry.name) for entry in folder.iterdir())
    return DepthSequence(folder, name, method, record, tuple(sorted(int(m[2]) for m in frames if m and m[1] == name)))
