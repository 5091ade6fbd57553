# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold.build_mesh`: a mesh from a depth image that is already in this file."""

import bpy
from bpy.props import StringProperty

from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.scene.depth_image import is_depth_image
from ..marigold_blender.scene.photo_scene import build_photo_scene
from .properties import MeshProperties
from .scene_settings import fill_unset


class MARIGOLD_OT_build_mesh(MeshProperties, bpy.types.Operator):
    bl_idname = "marigold.build_mesh"
    bl_label = "Build Mesh"
    bl_description = "Build a mesh and its matching camera from a depth image"
    bl_options = {"UNDO"}

    depth: StringProperty(name="Depth", description="Name of the depth image")

    def invoke(self, context, event):
        fill_unset(self, context.scene.marigold)
        return self.execute(context)

    def execute(self, context):
        depth = bpy.data.images.get(self.depth)
        try:
            if depth is None or not is_depth_image(depth):
                raise MarigoldError("bad_input", f"“{self.depth}” is not a depth image: estimate depth first.")
            made = build_photo_scene(context, depth, self.scene_options())
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        self.report({"INFO"}, f"Made {made.name}{_error(made.data)}")
        return {"FINISHED"}


def _error(mesh: bpy.types.Mesh) -> str:
    """How far off a mesh with a triangle budget is."""
    properties = mesh.marigold
    if properties.worst_error == 0.0:
        return ""
    return f": {len(mesh.polygons)} triangles, at most {properties.worst_error:.2%} off"


CLASSES = (MARIGOLD_OT_build_mesh,)
