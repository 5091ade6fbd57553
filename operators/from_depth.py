# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operators share that build something from a depth image that is already in this file."""

import bpy
from bpy.props import StringProperty

from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.scene.depth_image import named_depth
from .scene_settings import fill_unset


class FromDepth:
    """Takes what its caller left unset from the sidebar, and builds by `build(context, depth)`."""

    bl_options = {"UNDO"}

    depth: StringProperty(name="Depth", description="Name of the depth image")

    def invoke(self, context, event):
        fill_unset(self, context.scene.marigold)
        return self.execute(context)

    def execute(self, context):
        try:
            made = self.build(context, named_depth(self.depth))
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        self.report({"INFO"}, f"Made {made.name}{self.remark(made)}")
        return {"FINISHED"}

    def remark(self, made: bpy.types.Object) -> str:
        """What else there is to say of it."""
        return ""
