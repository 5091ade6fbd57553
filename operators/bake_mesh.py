# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold.bake_mesh`: the finished mesh of an object with live controls."""

import bpy

from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.scene.baking import bake_live_mesh
from ..marigold_blender.scene.live_modifier import find_live_modifier


class MARIGOLD_OT_bake_mesh(bpy.types.Operator):
    bl_idname = "marigold.bake_mesh"
    bl_label = "Bake Mesh"
    bl_description = (
        "Turn the active object's live grid into the finished mesh that its controls show, cut finely along the edges"
        " as the Mesh section says"
    )
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context):
        if find_live_modifier(context.object) is None:
            cls.poll_message_set("The active object has no live controls")
            return False
        return context.mode == "OBJECT"

    def execute(self, context):
        try:
            bake_live_mesh(context.object, context.scene.marigold.scene_options())
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        self.report({"INFO"}, f"Baked {context.object.name}")
        return {"FINISHED"}


CLASSES = (MARIGOLD_OT_bake_mesh,)
