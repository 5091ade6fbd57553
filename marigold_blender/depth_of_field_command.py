# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold dof PHOTO --output FILE`: depth of field from a depth file or an estimate. Called by `cli`."""

from __future__ import annotations

import argparse
import json
from typing import Any

from .lens_arguments import add_lens_arguments, lens_of
from .progress_line import ProgressLine
from .settings_arguments import add_settings_arguments, settings_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("photo", metavar="PHOTO", help="the sharp picture")
    parser.add_argument("--output", required=True, metavar="FILE", help=".exr keeps 32 bits; .png, .tif, .jpg, .webp")
    parser.add_argument(
        "--depth",
        default="",
        metavar="FILE",
        help="NAME_depth.exr, or an EXR with a Z pass in metres (default: estimated)",
    )
    add_lens_arguments(parser)
    add_settings_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Focus the photo and print where it is."""
    lens = lens_of(options)
    lens.check()
    from .worker.server.depth_of_field_job import DepthOfFieldRequest, run_depth_of_field
    from .worker.server.progress import SHARES, Progress

    line = ProgressLine(options.photo)
    shares = SHARES["depth_of_field" if options.depth else "estimate_depth_of_field"]
    request = DepthOfFieldRequest(options.photo, options.output, lens, options.depth, settings_of(options))
    try:
        result = run_depth_of_field(request, Progress(line.show, shares), lambda: False)
    finally:
        line.end()
    print(_said(result.to_json(), options.json))
    return 0


def _said(result: dict[str, Any], as_json: bool) -> str:
    return json.dumps({"ok": True, **result}, ensure_ascii=False) if as_json else str(result["picture"])
