# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold.calibrate_depth`: near, far and camera of a depth image from what is known of its distances."""

import json
from dataclasses import replace

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty

from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.scene.calibrating import Known, calibrate, known_of, metres_per_unit
from ..marigold_blender.scene.calibration_inputs import MEASURES, METHODS, UNITS
from ..marigold_blender.scene.depth_image import named_depth


class MARIGOLD_OT_calibrate_depth(bpy.types.Operator):
    bl_idname = "marigold.calibrate_depth"
    bl_label = "Calibrate"
    bl_description = (
        "Find near and far, and the camera where it is told, from known distances; meshes and cameras follow"
    )
    bl_options = {"UNDO"}

    depth: StringProperty(name="Depth", description="Name of the depth image")
    method: EnumProperty(name="From", description="What near and far are found from", items=METHODS)
    points: StringProperty(
        name="Points",
        description="Places and distances as JSON: [[x, y, distance], …], x from 0 left to 1 right, y from 0 bottom to"
        " 1 top. Empty: those stored with the depth",
    )
    measure: EnumProperty(name="Measured", description="How the points' distances were measured", items=MEASURES)
    lengths: StringProperty(
        name="Lengths",
        description="Pairs of places and how far they are apart, as JSON: [[x, y, x, y, length], …]. Empty: those"
        " stored with the depth",
    )
    clip: StringProperty(name="Clip", description="Name of the solved movie clip. Empty: the stored or the active one")
    frame: IntProperty(name="Frame", description="Frame of the scene that the photo is. 0: the current one", min=0)
    camera: StringProperty(
        name="Camera", description="Name of the camera that matches the photo. Empty: the active one"
    )
    filepath: StringProperty(name="File", description="File with metric depth, .exr or .npy", subtype="FILE_PATH")
    unit: EnumProperty(name="Unit", description="Unit of points, lengths and file as given here", items=UNITS)

    def execute(self, context):
        try:
            image = named_depth(self.depth)
            found = calibrate(context, image, self._known(context, image))
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        result = found.calibration
        length = bpy.utils.units.to_string
        near, far = (
            length("METRIC", "LENGTH", value * metres_per_unit(context.scene), precision=3)
            for value in (result.near, result.far)
        )
        self.report({"INFO"}, f"Near {near}, far {far}: {result.trust}. {found.note}".rstrip())
        return {"FINISHED"}

    def _known(self, context, image) -> Known:
        """What is stored with the depth, with what the caller gave in its place."""
        scale = metres_per_unit(context.scene) if self.unit == "METRES" else 1.0
        given = {
            name: getattr(self, name)
            for name in ("method", "measure", "frame", "unit")
            if self.properties.is_property_set(name)
        }
        if self.points:
            given["points"] = parsed(self.points, "points", 3, scale)
        if self.lengths:
            given["lengths"] = parsed(self.lengths, "lengths", 5, scale)
        if self.filepath:
            given["file"] = self.filepath
        for name, among in (("clip", bpy.data.movieclips), ("camera", context.scene.objects)):
            if value := getattr(self, name):
                if value not in among:
                    raise MarigoldError("bad_input", f"There is no {name} “{value}” here: choose another.")
                given[name] = among[value]
        return replace(known_of(image), **given)


def parsed(text: str, what: str, length: int, metres_per_unit: float) -> tuple[tuple[float, ...], ...]:
    """Rows of numbers from JSON, the last of each turned from metres into units.

    Raises:
        MarigoldError: it is something else (`bad_input`).
    """
    try:
        rows = tuple(tuple(float(value) for value in row) for row in json.loads(text))
    except (ValueError, TypeError) as problem:
        raise MarigoldError("bad_input", f"The {what} are not a JSON list of lists of numbers: {problem}.") from problem
    if any(len(row) != length for row in rows):
        raise MarigoldError("bad_input", f"Each of the {what} must have {length} numbers.")
    return tuple((*row[:-1], row[-1] / metres_per_unit) for row in rows)


CLASSES = (MARIGOLD_OT_calibrate_depth,)
