# SPDX-License-Identifier: GPL-3.0-or-later
"""The depth of a clip, frame by frame: a clip in, a depth sequence out. A run that was killed goes on where it was.

Used by `tasks`, by `marigold estimate` and by the depth of field of clips. Frames follow each other steadily, or each
is estimated by itself.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
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
from ...estimation.checkpoint_files import read_defaults
from ...models.find import find_model
from ...record import DepthRecord
from ...settings import EstimateSettings
from .estimate_job import EstimateRequest, run_estimate

STEADY_VERSION = 1  # raise it when the same settings would give a clip another depth than before

Made = Iterator[tuple[int, np.ndarray, DepthRecord, tuple[int, ...]]]
"""Frames as they come: number, depth [H, W], record, and the first frames of the shots so far."""


@dataclass(frozen=True)
class ClipRequest:
    """A clip whose depth is wanted.

    Attributes:
        clip: movie, folder or pattern (see `clips.clip.open_clip`).
        output: folder for the depth sequence.
        settings: of every frame.
        steady: frames follow each other, on one scale for a shot; else each is estimated by itself.
    """

    clip: str
    output: str
    settings: EstimateSettings
    steady: bool = True

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
    method = "steady" if request.steady else "independent"
    deciding: dict[str, Any] = {
        "clip": str(clip.path.absolute()),
        "fingerprint": fingerprint(clip),
        "settings": request.settings.to_json(),
        "revision": read_defaults(find_model(request.settings.model)).revision,
        "method": method,
    }
    if request.steady:
        deciding["version"] = STEADY_VERSION
    sweep(folder, lambda file: file.startswith(f"{name}_"))
    states = FrameStates(record_path(folder, name), {"deciding": deciding}, lambda n: depth_path(folder, name, n))
    under_way = folder / f"{name}_depth_state.npz"  # of a steady clip; gone when it is whole
    numbers = frame_numbers(clip)
    made: Made = iter(())
    if request.steady and (under_way.exists() or not all(map(states.is_done, numbers))):
        made = _steady(clip, request.settings, deciding, under_way, states, cancelled)
    elif not request.steady:
        made = _independent(clip, request.settings, states, cancelled)
    seen = {number for number in numbers if states.is_done(number)}
    done, computed = len(seen), 0
    report("frames", done, max(len(numbers), done + 1))
    for number, depth, record, shots in made:
        write_frame(folder, name, number, depth)
        states.about(record_content(record, method, deciding, shots))
        states.note(number)
        seen.add(number)
        done, computed = len(seen), computed + 1
        report("frames", done, max(len(numbers), done + 1))
    report("frames", done, done)
    under_way.unlink(missing_ok=True)
    if not seen:
        raise MarigoldError("bad_input", f"{clip.path} has no frames.")
    return ClipResult(str(record_path(folder, name)), min(seen), max(seen), computed)


def _independent(clip: Clip, settings: EstimateSettings, states: FrameStates, cancelled: Callable[[], bool]) -> Made:
    """The frames that are not there yet, each by itself."""
    numbers = frame_numbers(clip)
    todo = {number for number in numbers if not states.is_done(number)}
    for frame in clip_frames(clip, todo if clip.kind == "sequence" or len(todo) < len(numbers) else None):
        if cancelled():
            raise MarigoldError("cancelled", "The clip was cancelled; what is done is kept.")
        yield frame.number, *estimate_frame(clip, frame, settings, cancelled), ()


def _steady(
    clip: Clip,
    settings: EstimateSettings,
    deciding: dict[str, Any],
    under_way: Path,
    states: FrameStates,
    cancelled: Callable[[], bool],
) -> Made:
    """The frames from where an earlier run stopped; all of them if what it left is not whole."""
    from .steady_clip import SteadyClip

    steady = SteadyClip(clip, settings, deciding, under_way)
    after = steady.done_until
    if after is None or not all(states.is_done(number) for number in frame_numbers(clip) if number <= after):
        steady.start_anew()
        states.forget()
    return steady.frames(cancelled)


def estimate_frame(
    clip: Clip, frame: ClipFrame, settings: EstimateSettings, cancelled: Callable[[], bool]
) -> tuple[np.ndarray, DepthRecord]:
    """The depth [H, W] of one frame, with its record; what was computed before comes from the result cache."""
    with tempfile.TemporaryDirectory(prefix="marigold_frame_") as scratch:
        photo = frame_file(frame, Path(scratch))
        image = "" if frame.file else f"{clip.path} frame {frame.number}"
        asked = EstimateRequest(str(photo), "frame", scratch, settings, image=image, calibrate=False)
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
