# SPDX-License-Identifier: GPL-3.0-or-later
"""The depth of a clip in Blender: a depth image whose source is a sequence of files. Called by the operators.

Unlike a photo's depth it is not packed: it stays where the worker wrote it, frame by frame.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import bpy

from ..clip_paths import is_movie
from ..errors import MarigoldError
from ..record import DepthRecord
from .compositor import play_frames

FRAMES = "marigold_frames"  # custom property of images: first and last frame number
RECORD_SUFFIX = "_depth.json"


def load_depth_sequence(record_file: Path, clip: Path) -> bpy.types.Image:
    """The depth image of a clip, with the clip as its photo.

    Args:
        record_file: `NAME_depth.json` in the folder of the frames.
        clip: the movie, the folder of its frames, or their name with # for the number.

    Raises:
        MarigoldError: the files are not there or damaged (`bad_input`).
    """
    try:
        content = json.loads(record_file.read_text(encoding="utf-8"))
        record = DepthRecord.from_json(content["record"])
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise MarigoldError(
            "bad_input", f"“{record_file}” is not the record of a clip's depth: estimate it.", details=repr(problem)
        ) from problem
    name = record_file.name.removesuffix(RECORD_SUFFIX)
    image = load_sequence(record_file.parent, rf"{re.escape(name)}_(\d+)_depth\.exr", f"{name} depth", "Non-Color")
    photo = load_movie(clip) if is_movie(clip) else load_clip_files(clip, name)
    image.marigold.photo = photo
    image.marigold.fill_from(record)
    image.use_fake_user = True
    return image


def load_movie(path: Path) -> bpy.types.Image:
    """A movie as an image.

    Raises:
        MarigoldError: Blender cannot read it (`bad_input`).
    """
    try:
        image = bpy.data.images.load(str(path), check_existing=True)
    except RuntimeError as problem:
        raise MarigoldError("bad_input", f"“{path}” cannot be opened: is it there and readable?") from problem
    image[FRAMES] = [1, max(1, image.frame_duration)]
    return image


def load_clip_files(path: Path, name: str) -> bpy.types.Image:
    """The frames of an image sequence, named by their folder or with # for the number, as an image."""
    if "#" in path.name:
        pattern = re.sub(r"\\#(\\#)*", r"(\\d+)", re.escape(path.name))
        return load_sequence(path.parent, pattern, name, None)
    return load_sequence(path, r".*?(\d+)\.\w+", name, None)


def load_sequence(folder: Path, pattern: str, name: str, colourspace: str | None) -> bpy.types.Image:
    """An image of all files in a folder whose name matches a pattern with one group, the frame's number.

    Args:
        colourspace: None: as Blender takes it for such files.

    Raises:
        MarigoldError: there is none, or Blender cannot read them (`bad_input`).
    """
    matches = (re.fullmatch(pattern, entry.name) for entry in sorted(folder.iterdir())) if folder.is_dir() else ()
    files = {int(match[1]): match[0] for match in matches if match}
    if not files:
        raise MarigoldError("bad_input", f"There are no frames in “{folder}”: estimate the depth of the clip.")
    first, last = min(files), max(files)
    try:
        image = bpy.data.images.load(str(folder / files[first]), check_existing=False)
    except RuntimeError as problem:
        raise MarigoldError("bad_input", f"“{folder / files[first]}” cannot be opened.") from problem
    image.name = name
    if colourspace:
        image.colorspace_settings.name = colourspace
    image.source = "SEQUENCE"
    image[FRAMES] = [first, last]
    return image


def file_pattern(image: bpy.types.Image) -> Path:
    """The path of a movie, or that of a sequence with # in the place of the frame's number."""
    path = Path(bpy.path.abspath(image.filepath))
    numbered = re.fullmatch(r"(.*?)(\d+)(\D*)", path.name)
    if image.source == "MOVIE" or numbered is None:
        return path
    start, digits, end = numbered.groups()
    return path.with_name(f"{start}{'#' * len(digits)}{end}")


def frames_of(image: bpy.types.Image) -> tuple[int, int] | None:
    """First and last frame of a clip; None for a still picture."""
    if image.source not in {"SEQUENCE", "MOVIE"}:
        return None
    first, last = image.get(FRAMES, (1, max(1, image.frame_duration)))
    return int(first), int(last)


def play(node: bpy.types.Node) -> None:
    """Have an Image node show a clip so that each of its frames is at the scene's frame of the same number."""
    frames = frames_of(node.image) if node.image else None
    if frames:
        play_frames(node, frames[1])
