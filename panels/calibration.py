# SPDX-License-Identifier: GPL-3.0-or-later
"""Sections under Result: the photo's camera, and what near and far are known from."""

import bpy

from ..marigold_blender.scene.calibrating import calibration_of
from .paragraph import paragraph
from .result import shown_depth
from .sections import In3DView, InImageEditor, settings_column

SOURCES = {
    "POINTS": "Calibrated from points",
    "LENGTHS": "Calibrated from lengths",
    "MARKERS": "Calibrated from tracked markers",
    "SCENE": "Calibrated from the scene",
    "FILE": "Calibrated from a file",
    "SELF": "Self-calibrated",
}


class CalibrationPanel:
    bl_label = "Calibration"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context):
        depth = shown_depth(context)
        known = depth.marigold.known
        draw_state(self.layout, context, depth)
        column = settings_column(self.layout)
        column.prop(known, "method")
        if known.method == "POINTS":
            draw_places(column, depth, "POINT", known.points, "distance")
            column.prop(known, "measure")
        elif known.method == "LENGTHS":
            draw_places(column, depth, "LENGTH", known.lengths, "length")
        elif known.method == "MARKERS":
            column.prop(known, "clip")
            column.prop(known, "frame")
        elif known.method == "SCENE":
            column.prop(known, "camera")
        elif known.method == "FILE":
            column.prop(known, "file")
            column.prop(known, "unit")
        column.operator("marigold.calibrate_depth", icon="DRIVER_DISTANCE").depth = depth.name


class PhotoCameraPanel:
    bl_label = "Photo Camera"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context):
        depth = shown_depth(context)
        column = settings_column(self.layout)
        for name in ("focal_35mm", "fov", "cx", "cy", "pixel_aspect"):
            column.prop(depth.marigold, name)
        row = self.layout.row(align=True)
        for source, label in (("METADATA", "Metadata"), ("SCENE", "Scene Camera"), ("CROP", "Crop")):
            operator = row.operator("marigold.set_photo_camera", text=label)
            operator.depth, operator.source = depth.name, source


def draw_state(layout: bpy.types.UILayout, context: bpy.types.Context, depth: bpy.types.Image) -> None:
    """How near and far were found, and how well they are known."""
    if depth.marigold.calibrated == "ASSUMED":
        return  # the section Result says it
    stored = calibration_of(depth)
    if stored is None:
        layout.label(text="Near and far were changed by hand", icon="INFO")
        return
    calibration, note = stored
    column = layout.column(align=True)
    icon = "CHECKMARK" if calibration.confidence >= 0.4 else "ERROR"
    column.label(
        text=f"{SOURCES[calibration.method]}: {calibration.trust}, {100 * calibration.confidence:.0f} %", icon=icon
    )
    column.label(text=figures(calibration), icon="BLANK1")
    if note:
        paragraph(layout, context, note, icon="INFO")


def figures(calibration) -> str:
    """“18 of 20 agree within 0.8 %”; of a picture's planes “within 4 %”."""
    within = f"within {max(100 * calibration.residual, 0.01):.2g} %"
    return within if calibration.method == "SELF" else f"{calibration.inliers} of {calibration.count} agree {within}"


def draw_places(
    layout: bpy.types.UILayout, depth: bpy.types.Image, kind: str, places: bpy.types.bpy_prop_collection, value: str
) -> None:
    """The list of what was picked, with its distances, and the eyedropper that adds to it."""
    for index, known in enumerate(places):
        row = layout.row(align=True)
        row.prop(known, value, text=f"{value.capitalize()} {index + 1}")
        remove = row.operator("marigold.remove_known", text="", icon="X")
        remove.depth, remove.kind, remove.index = depth.name, kind, index
    pick = layout.operator(
        "marigold.pick_known", text="Pick a Point" if kind == "POINT" else "Pick Two Points", icon="EYEDROPPER"
    )
    pick.depth, pick.kind = depth.name, kind


class MARIGOLD_PT_calibration_view3d(In3DView, CalibrationPanel, bpy.types.Panel):
    bl_parent_id = "MARIGOLD_PT_result_view3d"


class MARIGOLD_PT_calibration_image(InImageEditor, CalibrationPanel, bpy.types.Panel):
    bl_parent_id = "MARIGOLD_PT_result_image"


class MARIGOLD_PT_photo_camera_view3d(In3DView, PhotoCameraPanel, bpy.types.Panel):
    bl_parent_id = "MARIGOLD_PT_result_view3d"


class MARIGOLD_PT_photo_camera_image(InImageEditor, PhotoCameraPanel, bpy.types.Panel):
    bl_parent_id = "MARIGOLD_PT_result_image"


CLASSES = (
    MARIGOLD_PT_calibration_view3d,
    MARIGOLD_PT_calibration_image,
    MARIGOLD_PT_photo_camera_view3d,
    MARIGOLD_PT_photo_camera_image,
)
