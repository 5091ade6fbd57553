# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold calibrate DEPTH`: its near and far from what is known of its distances; without that, what the depth map
tells by itself of shift, focal length and floor. Called by `cli`.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from .errors import MarigoldError

if TYPE_CHECKING:
    from .geometry.calibration import Calibration
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
    known = parser.add_mutually_exclusive_group()
    known.add_argument(
        "--point",
        dest="points",
        type=float,
        nargs=3,
        action="append",
        metavar=("X", "Y", "DISTANCE"),
        help="a place in pixels from the upper left corner and how far it is from the lens; give two or more",
    )
    known.add_argument(
        "--length",
        dest="lengths",
        type=float,
        nargs=5,
        action="append",
        metavar=("X", "Y", "X2", "Y2", "LENGTH"),
        help="two places and how far they are apart; give one or more",
    )
    known.add_argument("--metric", default="", metavar="FILE", help="distances of every pixel: a Z pass (.exr) or .npy")
    parser.add_argument("--planar", action="store_true", help="the points' distances are along the camera's axis")


def run(options: argparse.Namespace) -> int:
    """Calibrate and print what was found."""
    from .worker.server.calibrate_job import CalibrateRequest, KnownDistances, run_calibrate, run_calibrate_by

    point = options.principal_point
    request = CalibrateRequest(
        options.depth, options.focal_px, (point[0], point[1]) if point else None, options.uncertainty
    )
    known = KnownDistances(
        tuple(map(tuple, options.points or ())),
        options.planar,
        tuple(map(tuple, options.lengths or ())),
        options.metric,
    )
    if known.planar and not known.points:
        raise MarigoldError("bad_input", "--planar says how points were measured: give some with --point.")
    found: SelfCalibration | Calibration
    if known.points or known.lengths or known.metric:
        if options.uncertainty:
            raise MarigoldError(
                "bad_input", "--uncertainty counts only where the depth calibrates itself: leave it out."
            )
        found = run_calibrate_by(request, known)
        words = described_by_known(found)
    else:
        found = run_calibrate(request)
        words = described(found)
    if options.json:
        print(json.dumps({"ok": True, **found.to_json()}, ensure_ascii=False))
    else:
        print(words)
    return 0


def described_by_known(found: Calibration) -> str:
    """What known distances gave, for people."""
    agree = (
        ""
        if found.count == 1
        else f", {found.inliers} of {found.count} agree, median error {100 * found.residual:.1f} %"
    )
    lines = [
        f"near           {found.near:.4g}",
        f"far            {found.far:.4g} ({found.trust}, confidence {found.confidence:.2f}{agree})",
    ]
    if found.focal_px:
        lines.append(f"focal length   {found.focal_px:.1f} px")
    if found.kept:
        lines.append(f"not determined {found.kept}")
    if found.near > 0:
        focal = f" --focal-px {found.focal_px:.1f}" if found.focal_px else ""
        lines.append(f"for mesh, dof  --near {found.near:.4g} --far {found.far:.4g}{focal}")
    return "\n".join(lines)


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
