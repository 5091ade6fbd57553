# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type, misc"
"""`image.marigold.known`: what the user knows of a depth image's distances. Stored with it, so that calibrating can be
done again; the panel shows it, `marigold.calibrate_depth` reads it."""

from __future__ import annotations

import bpy
from bpy.props import (
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

METHODS = [
    ("POINTS", "Points", "Two or more points of the photo, with their distances from the camera"),
    ("LENGTHS", "Lengths", "One or more measured lengths, each between two points of the photo"),
    ("MARKERS", "Tracked Markers", "The markers of a solved movie clip, at the frame that the photo is"),
    ("SCENE", "Scene", "What a camera that matches the photo sees of this scene's geometry"),
    ("FILE", "File", "A file with the distance of every pixel: a Z pass (.exr) or an array (.npy)"),
    ("SELF", "The Picture Itself", "Planes and right angles that the depth shows; the size is a guess"),
]
MEASURES = [
    ("STRAIGHT", "Straight", "From the lens straight to the point, as tapes and laser meters measure"),
    ("PLANAR", "Planar", "Along the camera's axis, as depth and Z passes count"),
]
UNITS = [
    ("METRES", "Metres", "Metres, whatever the scene's unit scale"),
    ("SCENE", "Blender Units", "Units of the scene, as its Z pass counts"),
]


class KnownPoint(bpy.types.PropertyGroup):
    """A point of the photo with its distance from the camera."""

    place: FloatVectorProperty(
        name="Place", description="Place in the photo, (0, 0) bottom left to (1, 1) top right", size=2
    )
    distance: FloatProperty(
        name="Distance", description="Its distance from the camera. 0: not known yet", subtype="DISTANCE", min=0.0
    )


class KnownLength(bpy.types.PropertyGroup):
    """A length between two points of the photo."""

    start: FloatVectorProperty(name="Start", description="Place of one end in the photo", size=2)
    end: FloatVectorProperty(name="End", description="Place of the other end in the photo", size=2)
    length: FloatProperty(
        name="Length", description="How far the two points are apart. 0: not known yet", subtype="DISTANCE", min=0.0
    )


def _is_camera(_self: object, candidate: bpy.types.Object) -> bool:
    return candidate.type == "CAMERA"


class CalibrationInputs(bpy.types.PropertyGroup):
    """`image.marigold.known`."""

    method: EnumProperty(name="From", description="What near and far are found from", items=METHODS)
    points: CollectionProperty(type=KnownPoint, name="Points", description="Points with known distances")
    measure: EnumProperty(name="Measured", description="How the points' distances were measured", items=MEASURES)
    lengths: CollectionProperty(type=KnownLength, name="Lengths", description="Known lengths between points")
    clip: PointerProperty(
        type=bpy.types.MovieClip, name="Clip", description="A movie clip whose camera motion is solved"
    )
    frame: IntProperty(
        name="Frame", description="Frame of the scene at which the clip shows the photo. 0: the current frame", min=0
    )
    camera: PointerProperty(
        type=bpy.types.Object,
        name="Camera",
        description="A camera that sees the scene as the photo shows it. Empty: the scene's active camera",
        poll=_is_camera,
    )
    file: StringProperty(
        name="File",
        description="Planar distance of every pixel: a Z pass (.exr), or an array [height, width] (.npy)",
        subtype="FILE_PATH",
    )
    unit: EnumProperty(name="Unit", description="Unit of the distances in the file", items=UNITS)


CLASSES = (KnownPoint, KnownLength, CalibrationInputs)
