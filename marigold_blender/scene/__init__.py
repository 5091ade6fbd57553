# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that touches Blender's data: images, meshes, materials, cameras. Uses bpy and `geometry`, nothing else."""

from . import material, properties


def register() -> None:
    properties.register()
    material.register()


def unregister() -> None:
    material.unregister()
    properties.unregister()
