# SPDX-License-Identifier: GPL-3.0-or-later
"""Depth of field for a clip, frame by frame, with a focus that may move. A run that was killed goes on where it was.

Used by `tasks` and by `marigold dof`.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ...clips.clip import Clip, ClipFrame, clip_frames, fingerprint, frame_numbers, open_clip
from ...clips.depth_sequence import DepthSequence, open_depth_sequence
from ...clips.frame_states import FrameStates
from ...depth_files.names import safe_stem
from ...depth_files.replacing import sweep
from ...depth_of_field.lens import focus_picture
from ...depth_of_field.scene_depth import SceneDepth, estimated_depth, read_scene_depth
from ...errors import MarigoldError
from ...focus_keys import FocusKeys
from ...fog_settings import FogSettings
from ...lens_settings import LensSettings
from ...photos.light import check_format, read_light, write_light
from ...settings import EstimateSettings
from .clip_job import ClipRequest, frame_file, run_clip
from .depth_of_field_job import blur, check_same_size, check_writable, in_fog

DEFAULT_DIGITS, DEFAULT_SUFFIX = 4, ".png"


@dataclass(frozen=True)
class ClipFocusRequest:
    """A clip that is to be focused.

    Attributes:
        clip: movie, folder or pattern (see `clips.clip.open_clip`).
        output: a name with # for the frame's number (`out/shot_####.exr`), or a folder, which gets PNG files.
        lens: focus and lens; where `keys` is given, its focus counts in the place of this one's.
        keys: [frame, focus] …, for `focus_m` where the lens counts in metres, else for `focus`.
        depth: a depth sequence (folder or record), or a name with # of depth files or Z passes; empty: the clip is
            estimated with `settings`, steadily, into a folder NAME_depth beside the frames, which serves another time.
        fog: laid over every frame before it is focused.
    """

    clip: str
    output: str
    lens: LensSettings
    keys: tuple[tuple[int, float], ...] = ()
    depth: str = ""
    settings: EstimateSettings = field(default_factory=EstimateSettings)
    fog: FogSettings = field(default_factory=FogSettings)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ClipFocusRequest:
        given = dict(data)
        given["lens"] = LensSettings.from_json(data["lens"])
        given["keys"] = tuple((int(frame), float(value)) for frame, value in data.get("keys", ()))
        if "settings" in data:
            given["settings"] = EstimateSettings.from_json(data["settings"])
        if "fog" in data:
            given["fog"] = FogSettings.from_json(data["fog"])
        return cls(**given)

    def lens_at(self, frame: int) -> LensSettings:
        """The lens with the focus of a frame."""
        if not self.keys:
            return self.lens
        focus = FocusKeys(self.keys).at(frame)
        return replace(self.lens, focus_m=focus) if self.lens.focus_m else replace(self.lens, focus=focus)


@dataclass(frozen=True)
class ClipFocusResult:
    """What came out: the files' pattern, the first and last frame, and how many this run made."""

    pattern: str
    first: int
    last: int
    made: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def run_clip_focus(
    request: ClipFocusRequest, report: Callable[[str, int, int], None], cancelled: Callable[[], bool]
) -> ClipFocusResult:
    """Focus every frame that is not there yet.

    Raises:
        MarigoldError: unusable clip, depth or lens, an output that cannot be written, or cancelled.
    """
    clip = open_clip(Path(request.clip))
    for number in frame_numbers(clip)[:1] + [key[0] for key in request.keys]:
        request.lens_at(number).check()
    pattern = _pattern(Path(request.output), clip)
    request.fog.check()
    name, target = _files_of(pattern, clip)
    depth_of = _depths(request.depth or _estimated(request, target(0).parent / f"{name}_depth", report, cancelled))
    deciding = {"clip": str(clip.path.absolute()), "fingerprint": fingerprint(clip), **_without_paths(request)}
    sweep(pattern.parent, lambda file: file.startswith(name))
    states = FrameStates(target(0).parent / f"{name}_dof.json", {"format": 1, "deciding": deciding}, target)
    numbers = frame_numbers(clip)
    todo = {number for number in numbers if not states.is_done(number)}
    done, made = len(numbers) - len(todo), []
    with tempfile.TemporaryDirectory(prefix="marigold_clip_") as scratch:
        for frame in clip_frames(clip, todo if clip.kind == "sequence" or done else None):
            report("frames", done, max(len(numbers), done + 1))
            light = read_light(frame_file(frame, Path(scratch)))
            check_format(target(frame.number), alpha=light.pixels.shape[2] == 4)
            depth, lens = depth_of(frame), request.lens_at(frame.number)
            check_same_size(light, depth.values)
            focused = focus_picture(lens, depth, light.camera, within=False)
            light = in_fog(light, focused, request.fog)
            focused_light = blur(light, focused.radius, depth.soft_edge_px, lens, lambda *_: None, cancelled)
            write_light(focused_light, target(frame.number))
            states.note(frame.number)
            made.append(frame.number)
            done += 1
    report("frames", done, done)
    there = sorted({*(number for number in numbers if number not in todo), *made})
    if not there:
        raise MarigoldError("bad_input", f"{clip.path} has no frames.")
    return ClipFocusResult(str(pattern), there[0], there[-1], len(made))


def _estimated(
    request: ClipFocusRequest,
    folder: Path,
    report: Callable[[str, int, int], None],
    cancelled: Callable[[], bool],
) -> str:
    """Estimate the clip into `folder`, as far as it is not there; returns the record of its depth sequence."""
    asked = ClipRequest(request.clip, str(folder), request.settings)
    return run_clip(asked, lambda _, done, total: report("estimating", done, total), cancelled).record


def _depths(depth: str) -> Callable[[ClipFrame], SceneDepth]:
    """What gives the depth of a frame."""
    if "#" in Path(depth).name:
        files = open_clip(Path(depth)).files

        def from_file(frame: ClipFrame) -> SceneDepth:
            if frame.number not in files:
                raise MarigoldError("bad_input", f"There is no depth for frame {frame.number} at {depth}.")
            return read_scene_depth(files[frame.number])

        return from_file
    sequence: DepthSequence = open_depth_sequence(Path(depth))
    return lambda frame: estimated_depth(sequence.read(frame.number), sequence.record)


def _pattern(output: Path, clip: Clip) -> Path:
    """The name of the frames, with # for the number.

    Raises:
        MarigoldError: it is the name of one file, or of no picture (`bad_input`), or not writable (`cannot_write`).
    """
    if "#" not in output.name:
        if output.suffix:
            raise MarigoldError(
                "bad_input", f"“{output.name}” is one file: name the frames like {output.stem}_####{DEFAULT_SUFFIX}."
            )
        output = output / f"{safe_stem(clip.name)}_{'#' * DEFAULT_DIGITS}{DEFAULT_SUFFIX}"
    if len(re.findall(r"#+", output.name)) != 1:
        raise MarigoldError("bad_input", f"“{output.name}” has several places for a number: give one run of #.")
    check_format(output)
    check_writable(output)
    return output


def _files_of(pattern: Path, clip: Clip) -> tuple[str, Callable[[int], Path]]:
    """The stem of the output, and where each frame goes."""
    before, digits, after = re.split(r"(#+)", pattern.name)

    def target(number: int) -> Path:
        return pattern.with_name(f"{before}{number:0{len(digits)}}{after}")

    return before.rstrip("_-. ") or safe_stem(clip.name), target


def _without_paths(request: ClipFocusRequest) -> dict[str, Any]:
    """What decides the frames, besides the clip."""
    return {
        "lens": request.lens.to_json(),
        "fog": request.fog.to_json(),
        "keys": [list(key) for key in request.keys],
        "depth": str(Path(request.depth).absolute()) if request.depth else "",
        "settings": {} if request.depth else {**request.settings.to_json(), "steady": True},
    }
