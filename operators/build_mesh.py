# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold.build_mesh`: a mesh from a depth image that is already in this file."""

import bpy

from ..marigold_blender.scene.photo_scene import build_photo_scene
from .from_depth import FromDepth
from .properties import MeshProperties


class MARIGOLD_OT_build_mesh(FromDepth, MeshProperties, bpy.types.Operator):
    bl_idname = "marigold.build_mesh"
    bl_label = "Build Mesh"
    bl_description = "Build a mesh and its matching camera from a depth image"

    def build(self, context, depth):
        return build_photo_scene(context, depth, self.scene_options())

    def remark(self, made):
        return _error(made.data)


def _error(mesh: bpy.types.Mesh) -> str:
    """How far off a mesh with a triangle budget is."""
    properties = mesh.marigold
    if properties.worst_error == 0.0:
        return ""
    return f": {len(mesh.polygons)} triangles, at most {properties.worst_error:.2%} off"


CLASSES = (MARIGOLD_OT_build_mesh,)
