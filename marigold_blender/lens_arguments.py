# SPDX-License-Identifier: GPL-3.0-or-later
"""Focus and lens as options of a command line: of `marigold dof` and of `blender --command marigold dof`."""

from __future__ import annotations

import argparse

from .lens_settings import LensSettings


def add_lens_arguments(parser: argparse.ArgumentParser) -> None:
    """One option for each field of `LensSettings`."""
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
