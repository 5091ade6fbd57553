# SPDX-License-Identifier: GPL-3.0-or-later
"""The depth of a clip, frame by frame: a clip in, a depth sequence out. A run that was killed goes on where it was.

Used by `tasks`, by `marigold estimate` and by the depth of field of clips. Each frame is estimated by itself.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...clips.clip import Clip, ClipFrame, clip_frames, fingerprint, frame_numbers, open_clip
from ...clips.depth_sequence import depth_path, record_content, record_path, write_frame
from ...clips.frame_states import FrameStates
from ...depth_files.names import safe_stem
from ...depth_files.read import read_depth
from ...depth_files.replacing import sweep
from ...errors import MarigoldError
from ...record import DepthRecord
from ...settings import EstimateSettings
from .estimate_job import EstimateRequest, run_estimate

METHOD = "independent"


@dataclass(frozen=True)
class ClipRequest:
    """A clip whose depth is wanted.

    Attributes:
        clip: movie, folder or pattern (see `clips.clip.open_clip`).
        output: folder for the depth sequence.
        settings: of every frame.
    """

    clip: str
    output: str
    settings: EstimateSettings

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ClipRequest:
        return cls(**{**data, "settings": EstimateSettings.from_json(data["settings"])})


@dataclass(frozen=True)
class ClipResult:
    """What came out: the record of the depth sequence, its frames, and how many of them this run computed."""

    record: str
    first: int
    last: int
    computed: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def run_clip(
    request: ClipRequest, report: Callable[[str, int, int], None], cancelled: Callable[[], bool]
) -> ClipResult:
    """Estimate every frame that is not there yet.

    Raises:
        MarigoldError: as `run_estimate`; or the clip cannot be read (`bad_input`).
    """
    clip = open_clip(Path(request.clip))
    folder, name = Path(request.output), safe_stem(clip.name)
    deciding = {
        "clip": str(clip.path.absolute()),
        "fingerprint": fingerprint(clip),
        "settings": request.settings.to_json(),
        "method": METHOD,
    }
    sweep(folder, lambda file: file.startswith(f"{name}_"))
    states = FrameStates(record_path(folder, name), {"deciding": deciding}, lambda n: depth_path(folder, name, n))
    numbers = frame_numbers(clip)
    todo = {number for number in numbers if not states.is_done(number)}
    done, seen = len(numbers) - len(todo), [number for number in numbers if number not in todo]
    for frame in clip_frames(clip, todo if clip.kind == "sequence" or done else None):
        if cancelled():
            raise MarigoldError("cancelled", "The clip was cancelled; what is done is kept.")
        report("frames", done, max(len(numbers), done + 1))
        depth, record = estimate_frame(clip, frame, request.settings, cancelled)
        write_frame(folder, name, frame.number, depth)
        states.about(record_content(record, METHOD, deciding))
        states.note(frame.number)
        seen.append(frame.number)
        done += 1
    report("frames", done, done)
    if not seen:
        raise MarigoldError("bad_input", f"{clip.path} has no frames.")
    return ClipResult(str(record_path(folder, name)), min(seen), max(seen), len(todo & set(seen)))


def estimate_frame(
    clip: Clip, frame: ClipFrame, settings: EstimateSettings, cancelled: Callable[[], bool]
) -> tuple[np.ndarray, DepthRecord]:
    """The depth [H, W] of one frame, with its record; what was computed before comes from the result cache."""
    with tempfile.TemporaryDirectory(prefix="marigold_frame_") as scratch:
        photo = frame_file(frame, Path(scratch))
        image = "" if frame.file else f"{clip.path} frame {frame.number}"
        asked = EstimateRequest(str(photo), "frame", scratch, settings, image=image)
        result = run_estimate(asked, lambda *_: None, cancelled)
        depth_map = read_depth(Path(result.files["depth"]))
    return depth_map.depth, depth_map.record


def frame_file(frame: ClipFrame, scratch: Path) -> Path:
    """The frame as a file that every reader of photos takes."""
    if frame.file is not None:
        return frame.file
    assert frame.pixels is not None
    height, width = frame.pixels.shape[:2]
    pixels = np.full((height, width, 4), 255, np.uint8)
    pixels[..., :3] = frame.pixels
    path = scratch / "frame.npy"
    np.save(path, pixels)
    return path
