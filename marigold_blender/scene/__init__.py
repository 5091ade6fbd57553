# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that touches Blender's data: images, meshes, materials, cameras. Uses bpy and `geometry`, nothing else."""


def register() -> None:
    pass


def unregister() -> None:
    pass
