# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold dof PHOTO --output FILE`: depth of field from a depth file or an estimate. Called by `cli`."""

from __future__ import annotations

import argparse
import json
from typing import Any

from .lens_settings import LensSettings
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


def add_lens_arguments(parser: argparse.ArgumentParser) -> None:
    """One option for each field of `LensSettings`; also those of `blender --command marigold dof`."""
    default = LensSettings()
    focus = parser.add_mutually_exclusive_group(required=True)
    focus.add_argument("--focus", type=float, default=0.0, metavar="0..1", help="what is sharp: 0 nearest, 1 farthest")
    focus.add_argument("--focus-m", type=float, default=0.0, metavar="M", help="distance that is sharp, in metres")
    parser.add_argument(
        "--blur",
        dest="blur_percent",
        type=float,
        default=default.blur_percent,
        metavar="%",
        help="with --focus: blur circle of the farthest point while the nearest is sharp, in %% of the width"
        " (%(default)s)",
    )
    parser.add_argument(
        "--fstop", dest="f_stop", type=float, default=default.f_stop, help="with --focus-m: the aperture (%(default)s)"
    )
    parser.add_argument("--near", type=float, default=0.0, metavar="M", help="distance of the nearest depth")
    parser.add_argument("--far", type=float, default=0.0, metavar="M", help="distance of the farthest depth")
    parser.add_argument("--focal-px", type=float, default=0.0, help="focal length in pixels (default: from EXIF)")
    parser.add_argument("--sensor-mm", type=float, default=default.sensor_mm, help="the sensor's width (%(default)s)")
    parser.add_argument("--blades", type=int, default=default.blades, help="corners of the aperture (0: round)")
    parser.add_argument("--rotation", dest="rotation_deg", type=float, default=0.0, help="of the aperture, in degrees")
    parser.add_argument(
        "--max-blur", dest="max_blur_px", type=float, default=0.0, metavar="PX", help="largest radius (0: 10 %% of W)"
    )


def lens_of(options: argparse.Namespace) -> LensSettings:
    """The lens that was asked for."""
    return LensSettings(**{name: getattr(options, name) for name in LensSettings().to_json()})


def run(options: argparse.Namespace) -> int:
    """Focus the photo and print where it is."""
    lens = lens_of(options)
    lens.check()
    from .worker.server.depth_of_field_job import DepthOfFieldRequest, run_depth_of_field
    from .worker.server.progress import ESTIMATE_AND_BLUR, SHARES, Progress

    line = ProgressLine(options.photo)
    shares = SHARES["depth_of_field"] if options.depth else ESTIMATE_AND_BLUR
    request = DepthOfFieldRequest(options.photo, options.output, lens, options.depth, settings_of(options))
    try:
        result = run_depth_of_field(request, Progress(line.show, shares), lambda: False)
    finally:
        line.end()
    print(_said(result.to_json(), options.json))
    return 0


def _said(result: dict[str, Any], as_json: bool) -> str:
    return json.dumps({"ok": True, **result}, ensure_ascii=False) if as_json else str(result["picture"])
