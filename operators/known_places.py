# SPDX-License-Identifier: GPL-3.0-or-later
"""Points and lengths of the photo whose distances are known: an eyedropper that picks them, and what removes them."""

import bpy
from bpy.props import EnumProperty, FloatProperty, FloatVectorProperty, IntProperty, StringProperty

from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.scene.depth_image import named_depth
from ..marigold_blender.scene.known_places import add_length, add_point
from .eyedropper import Eyedropper

KINDS = [
    ("POINT", "Point", "A point, with its distance from the camera"),
    ("LENGTH", "Length", "Two points, with the length between them"),
]


class MARIGOLD_OT_pick_known(Eyedropper, bpy.types.Operator):
    bl_idname = "marigold.pick_known"
    bl_label = "Pick"
    bl_description = (
        "Click on a point of the photo in an Image Editor or the camera view (for a length, on both its ends),"
        " then enter its distance in the list"
    )
    bl_options = {"UNDO"}

    depth: StringProperty(name="Depth", description="Name of the depth image")
    kind: EnumProperty(name="Kind", description="What is known", items=KINDS)
    place: FloatVectorProperty(
        name="Place", description="Place in the photo, (0, 0) bottom left to (1, 1) top right", size=2
    )
    end: FloatVectorProperty(name="End", description="The other end of a length", size=2)
    distance: FloatProperty(
        name="Distance",
        description="Distance from the camera, or the length. 0: is entered later",
        subtype="DISTANCE",
        min=0.0,
    )

    def execute(self, context):
        try:
            image = named_depth(self.depth)
            if self.kind == "POINT":
                add_point(image, tuple(self.place), self.distance)
            else:
                add_length(image, tuple(self.place), tuple(self.end), self.distance)
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        return {"FINISHED"}

    def invoke(self, context, event):
        try:
            self.image = named_depth(self.depth)
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        self.picked = []
        return self.start(context)

    def hovered(self, context, place):
        what = "the other end" if self.picked else "one end of a length" if self.kind == "LENGTH" else "a point"
        context.workspace.status_text_set(
            f"Click on {what} in an Image Editor that shows the photo, or in the camera view  ·  Esc to leave it"
        )

    def clicked(self, context, place):
        if not all(0.0 <= part <= 1.0 for part in place):
            return {"RUNNING_MODAL"}
        self.picked.append(place)
        if len(self.picked) < (1 if self.kind == "POINT" else 2):
            self.hovered(context, place)
            return {"RUNNING_MODAL"}
        self.leave(context)
        self.place, self.end = self.picked[0], self.picked[-1]
        return self.execute(context)


class MARIGOLD_OT_remove_known(bpy.types.Operator):
    bl_idname = "marigold.remove_known"
    bl_label = "Remove"
    bl_description = "Remove this from what is known of the photo's distances"
    bl_options = {"UNDO"}

    depth: StringProperty(name="Depth", description="Name of the depth image")
    kind: EnumProperty(name="Kind", description="What is known", items=KINDS)
    index: IntProperty(name="Index", description="Its place in the list, from 0", min=0)

    def execute(self, context):
        try:
            known = named_depth(self.depth).marigold.known
            among = known.points if self.kind == "POINT" else known.lengths
            if self.index >= len(among):
                raise MarigoldError("bad_input", f"There are only {len(among)} in the list.")
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        among.remove(self.index)
        return {"FINISHED"}


CLASSES = (MARIGOLD_OT_pick_known, MARIGOLD_OT_remove_known)
