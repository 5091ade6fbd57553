# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold calibrate DEPTH`: what a depth map tells by itself of shift, focal length and floor. Called by `cli`."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .geometry.self_calibration.result import SelfCalibration


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("depth", metavar="DEPTH", help="NAME_depth.exr, an EXR with a Z pass or one channel, or a .npy")
    parser.add_argument("--focal-px", type=float, metavar="F", help="focal length in pixels, where it is known")
    parser.add_argument(
        "--principal-point",
        type=float,
        nargs=2,
        metavar=("X", "Y"),
        help="in pixels from the upper left corner, of a cropped photo (default: the middle)",
    )
    parser.add_argument(
        "--uncertainty",
        default="",
        metavar="FILE",
        help="file like DEPTH: uncertain pixels count less (default: NAME_uncertainty.exr beside it)",
    )


def run(options: argparse.Namespace) -> int:
    """Calibrate and print what was found."""
    from .worker.server.calibrate_job import CalibrateRequest, run_calibrate

    point = options.principal_point
    request = CalibrateRequest(
        options.depth, options.focal_px, (point[0], point[1]) if point else None, options.uncertainty
    )
    found = run_calibrate(request)
    if options.json:
        print(json.dumps({"ok": True, **found.to_json()}, ensure_ascii=False))
    else:
        print(described(found))
    return 0


def described(found: SelfCalibration) -> str:
    """What was found, for people."""
    sure = "sure" if found.sure else "unsure"
    origin = {
        "given": "given",
        "right angles": f"from right angles, confidence {found.focal_confidence:.2f}",
        "default": "no right angles tell it: the default field of view",
    }[found.focal_origin]
    lines = [
        f"shift / scale  {found.shift_over_scale:.4f} ({sure}, confidence {found.confidence:.2f}):"
        " metric depth is proportional to depth + this",
        f"focal length   {found.focal_px:.1f} px ({origin})",
    ]
    if found.floor:
        x, y, z = found.floor.normal
        lines.append(
            f"floor          {100 * found.floor.area:.0f} % of the picture, {-found.floor.offset:.4f} below the camera,"
            f" normal ({x:.3f}, {y:.3f}, {z:.3f})"
        )
    else:
        lines.append("floor          none found")
    lines.append(f"planes         {len(found.planes)}")
    return "\n".join(lines)
