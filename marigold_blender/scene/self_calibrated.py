# SPDX-License-Identifier: GPL-3.0-or-later
"""What a depth image's self-calibration means in Blender: its range, its focal length, and how the scene stands.

Called by `properties` for new depth images, whose record has it from the worker; by `calibrating` and `photo_scene`.
"""

from __future__ import annotations

import math

import bpy
from mathutils import Matrix, Vector

from ..errors import MarigoldError
from ..geometry.calibration import Calibration
from ..geometry.self_calibration.result import EYE_HEIGHT_M, FoundPlane, SelfCalibration
from ..record import DepthRecord
from .mesh import Mode

UPRIGHT = Matrix.Rotation(math.radians(90), 4, "X")  # from looking down, as new cameras do, to looking along +Y
SAME_SHIFT = 0.1  # share: beyond it the floor is not flat any more with the range that the depth image has now


def stored_self_calibration(record: DepthRecord) -> SelfCalibration | None:
    """What the worker found; None in records from before it looked."""
    return SelfCalibration.from_json(record.self_calibration) if record.self_calibration else None


def calibration_from(found: SelfCalibration, metres_per_unit: float = 1.0) -> Calibration:
    """The range, and the focal length where right angles told it, as the other ways of calibration give them.

    Raises:
        MarigoldError: nothing in the picture determines its range (`bad_input`).
    """
    if not found.sure:
        raise MarigoldError(
            "bad_input",
            "The depth shows no planes that tell its range: calibrate it from distances that you know instead.",
        )
    near, far = found.near_and_far()
    return Calibration(
        method="SELF",
        near=near / metres_per_unit,
        far=far / metres_per_unit,
        focal_px=found.focal_px if found.focal_origin == "right angles" else None,
        residual=found.expected_error,
        inliers=len(found.planes),
        count=len(found.planes),
        expected_error=found.expected_error,
        confidence=round(found.confidence, 3),
    )


def note_of(found: SelfCalibration) -> str:
    """What to tell the user beside the figures."""
    size = "Its size is that of a floor at eye height." if found.floor else "Its size is a guess."
    return f"From {len(found.planes)} planes. {size}"


def standing(image: bpy.types.Image, mode: Mode) -> Matrix:
    """Where the photo's camera stands: so that the floor is the ground, or upright at eye height where none is known.

    The camera looks towards +Y. Depth images that have been given another shift since their floor was found stand
    upright: their floor is not flat.
    """
    floor = _floor(image) if mode == "PERSPECTIVE" else None  # a relief is flat, and hangs upright
    if floor is None:
        return Matrix.Translation((0, 0, EYE_HEIGHT_M)) @ UPRIGHT
    up = Vector(floor.normal)
    ahead = Vector((0, 0, -1))
    ahead -= ahead.dot(up) * up
    if ahead.length < 1e-3:  # straight down: the photo's upper edge is ahead
        ahead = Vector((0, 1, 0)) - up.y * up
    ahead.normalize()
    turn = Matrix((ahead.cross(up), ahead, up)).to_4x4()
    height = -floor.offset * (image.marigold.far - image.marigold.near)
    return Matrix.Translation((0, 0, height)) @ turn


def _floor(image: bpy.types.Image) -> FoundPlane | None:
    """The floor as the depth image's camera sees it now; offset in far - near."""
    properties = image.marigold
    found = stored_self_calibration(DepthRecord.loads(properties.record))
    if found is None or found.floor is None:
        return None
    shift = properties.near / (properties.far - properties.near)
    if abs(shift / found.shift_over_scale - 1) > SAME_SHIFT:
        return None
    return found.floor.with_focal(properties.focal_px / found.focal_px)
