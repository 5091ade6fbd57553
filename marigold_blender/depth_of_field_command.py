# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold dof PHOTO --output FILE`: depth of field from a depth file or an estimate. Called by `cli`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from .clip_paths import is_clip
from .errors import MarigoldError
from .lens_arguments import (
    add_fog_arguments,
    add_lens_arguments,
    add_matte_arguments,
    focus_of,
    fog_of,
    lens_of,
    mattes_of,
    refuse_mattes_of_clip,
)
from .progress_line import ProgressLine
from .settings_arguments import add_settings_arguments, settings_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("photo", metavar="PHOTO", help="the sharp picture; or a clip: movie, folder, shot_####.png")
    parser.add_argument(
        "--output",
        required=True,
        metavar="FILE",
        help=".exr keeps 32 bits; .png, .tif, .jpg, .webp. For a clip: a folder, or a name with #### for the frame",
    )
    parser.add_argument(
        "--depth",
        default="",
        metavar="FILE",
        help="NAME_depth.exr, or an EXR with a Z pass in metres; for a clip the folder of its depth, or z_####.exr"
        " (default: estimated; of a clip into a folder NAME_depth beside the frames)",
    )
    add_lens_arguments(parser)
    add_fog_arguments(parser)
    add_matte_arguments(parser)
    add_settings_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Focus the photo or the clip and print where it is."""
    lens, keys, fog, mattes = lens_of(options), focus_of(options), fog_of(options), mattes_of(options)
    for settings in (lens, fog, mattes):
        settings.check()
    from .worker.server.clip_focus_job import ClipFocusRequest, run_clip_focus
    from .worker.server.depth_of_field_job import DepthOfFieldRequest, run_depth_of_field
    from .worker.server.progress import SHARES, Progress

    line = ProgressLine(options.photo)
    estimate = settings_of(options)
    result: Any
    try:
        if is_clip(Path(options.photo)):
            refuse_mattes_of_clip(mattes)
            asked = ClipFocusRequest(options.photo, options.output, lens, keys.keys, options.depth, estimate, fog)
            shares = SHARES["focus_clip" if options.depth else "estimate_focus_clip"]
            result = run_clip_focus(asked, Progress(line.show, shares), lambda: False)
        elif keys.moves:
            raise MarigoldError(
                "bad_input", f"{options.photo} is one picture, whose focus cannot move: give one focus."
            )
        else:
            shares = SHARES["depth_of_field" if options.depth else "estimate_depth_of_field"]
            request = DepthOfFieldRequest(
                options.photo, options.output, lens, options.depth, estimate, fog=fog, mattes=mattes
            )
            result = run_depth_of_field(request, Progress(line.show, shares), lambda: False)
    finally:
        line.end()
    said = result.to_json()
    print(
        json.dumps({"ok": True, **said}, ensure_ascii=False)
        if options.json
        else said.get("picture", said.get("pattern"))
    )
    return 0
