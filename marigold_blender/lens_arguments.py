# SPDX-License-Identifier: GPL-3.0-or-later
"""Focus, lens, fog and mattes as options of `marigold dof` and of `blender --command marigold dof`."""

from __future__ import annotations

import argparse

from .errors import MarigoldError
from .focus_keys import FocusKeys, parse_focus
from .fog_settings import FogSettings
from .lens_settings import LensSettings
from .matte_settings import MatteSettings
from .settings_arguments import add_settings_arguments


def add_depth_of_field_arguments(parser: argparse.ArgumentParser) -> None:
    """All options of the command."""
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


def add_lens_arguments(parser: argparse.ArgumentParser) -> None:
    """One option for each field of `LensSettings`."""
    default = LensSettings()
    focus = parser.add_mutually_exclusive_group(required=True)
    focus.add_argument(
        "--focus", metavar="0..1", help="what is sharp: 0 nearest, 1 farthest; for a clip also FRAME:FOCUS,FRAME:FOCUS"
    )
    focus.add_argument("--focus-m", metavar="M", help="distance that is sharp, in metres; for a clip also with frames")
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


def add_fog_arguments(parser: argparse.ArgumentParser) -> None:
    """Options for each field of `FogSettings` but the tilt of the camera, which a command does not know."""
    parser.add_argument("--fog", type=float, default=0.0, metavar="DENSITY", help="fog: density per unit of distance")
    parser.add_argument("--fog-start", type=float, default=0.0, metavar="M", help="distance at which the fog begins")
    parser.add_argument(
        "--fog-height", type=float, default=0.0, metavar="M", help="height over which it thins (0: as thick everywhere)"
    )
    parser.add_argument("--fog-colour", default="", metavar="R,G,B", help="the fog's linear light (0.6,0.7,0.8)")


def add_matte_arguments(parser: argparse.ArgumentParser) -> None:
    """One option for each field of `MatteSettings`."""
    default = MatteSettings()
    parser.add_argument(
        "--mattes",
        default="",
        metavar="FILE.exr",
        help="also write mattes: red nearer than the mask, green it, blue beyond",
    )
    for name, what in (
        ("near", "where the mask begins"),
        ("far", "where it ends"),
        ("softness", "over which it fades"),
    ):
        parser.add_argument(
            f"--mask-{name}",
            type=float,
            default=getattr(default, name),
            metavar="M",
            help=f"distance {what} (%(default)s)",
        )


def mattes_of(options: argparse.Namespace) -> MatteSettings:
    return MatteSettings(options.mattes, options.mask_near, options.mask_far, options.mask_softness)


def refuse_mattes_of_clip(mattes: MatteSettings) -> None:
    """Mattes are written of single pictures.

    Raises:
        MarigoldError: some are asked for (`bad_input`).
    """
    if mattes.file:
        raise MarigoldError("bad_input", "Mattes are written of one picture: of a clip, take the node's outputs.")


def fog_of(options: argparse.Namespace) -> FogSettings:
    """The fog that was asked for.

    Raises:
        MarigoldError: its colour is none (`bad_input`).
    """
    colour = FogSettings().colour
    if options.fog_colour:
        try:
            red, green, blue = map(float, options.fog_colour.split(","))
        except ValueError as error:
            raise MarigoldError(
                "bad_input", f"“{options.fog_colour}” is no colour: give it like 0.6,0.7,0.8."
            ) from error
        colour = (red, green, blue)
    return FogSettings(options.fog, options.fog_start, options.fog_height, colour)


def lens_of(options: argparse.Namespace) -> LensSettings:
    """The lens that was asked for, focused as at the first keyframe.

    Raises:
        MarigoldError: the focus is no number (`bad_input`).
    """
    given = {name: getattr(options, name) for name in LensSettings().to_json()}
    first = focus_of(options).keys[0][1]
    if options.focus_m is not None and first <= 0.0:
        raise MarigoldError("bad_input", f"A focus at {first:g} m is not possible: give a distance above 0.")
    is_metric = options.focus_m is not None
    return LensSettings(**{**given, "focus": 0.0 if is_metric else first, "focus_m": first if is_metric else 0.0})


def focus_of(options: argparse.Namespace) -> FocusKeys:
    """The focus, with its keyframes.

    Raises:
        MarigoldError: it is no number and no keyframes (`bad_input`).
    """
    return parse_focus(options.focus if options.focus is not None else options.focus_m)
