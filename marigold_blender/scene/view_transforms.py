# SPDX-License-Identifier: GPL-3.0-or-later
"""Which number Blender gives to a view transform, and which colour space undoes it: for the emission material.

A driver sees `scene.view_settings.view_transform` as a number, which depends on the Blender version and on the user's
OpenColorIO configuration. So it is looked up when a material is built, and again when a file is opened.
"""

from __future__ import annotations

import bpy

# View transforms and the colour space of a picture that was made with them.
COLOURSPACES = {
    "AgX": "AgX Base sRGB",
    "Filmic": "Filmic sRGB",
    "Khronos PBR Neutral": "Khronos PBR Neutral sRGB",
    "ACES 1.3": "ACES 1.3 sRGB",
    "ACES 2.0": "ACES 2.0 sRGB",
}
VIEW_PATH = "view_settings.view_transform"


def colourspaces_for(scene: bpy.types.Scene) -> dict[str, str]:
    """View transforms that the photo should be readied for, besides Standard, with the colour space that undoes each.

    AgX, because it is Blender's default, and what the scene uses now; not all, because each costs a copy of the photo.
    """
    known = bpy.types.ColorManagedInputColorspaceSettings.bl_rna.properties["name"].enum_items
    wanted = dict.fromkeys(["AgX", scene.view_settings.view_transform])
    return {view: COLOURSPACES[view] for view in wanted if view in COLOURSPACES and COLOURSPACES[view] in known}


def add_view_driver(owner: bpy.types.bpy_struct, path: str) -> None:
    """Drives a property with the number of the active scene's view transform.

    The sum of one variable, not an expression: it works where Python scripts in files are not allowed to run.
    """
    curve = owner.driver_add(path)
    for modifier in list(curve.modifiers):
        curve.modifiers.remove(modifier)
    curve.driver.type = "SUM"
    variable = curve.driver.variables.new()
    variable.type = "CONTEXT_PROP"
    variable.targets[0].context_property = "ACTIVE_SCENE"
    variable.targets[0].data_path = VIEW_PATH


def view_numbers(views: list[str]) -> dict[str, int]:
    """The number of each of these view transforms, as far as this Blender knows them.

    Python sees only their names, so a driver is asked, in a scene of its own: the user's need not be evaluated.
    """
    scene = bpy.data.scenes.new("Marigold view transforms")
    scene.world = world = bpy.data.worlds.new(scene.name)
    try:
        curve = world.mist_settings.driver_add("start")  # any property with room for the numbers
        curve.driver.type = "SUM"
        variable = curve.driver.variables.new()
        variable.type = "SINGLE_PROP"
        variable.targets[0].id_type = "SCENE"
        variable.targets[0].id = scene
        variable.targets[0].data_path = VIEW_PATH
        numbers = {}
        for view in views:
            try:
                scene.view_settings.view_transform = view
            except TypeError:  # not in this configuration
                continue
            layer = scene.view_layers[0]
            layer.update()
            numbers[view] = round(world.evaluated_get(layer.depsgraph).mist_settings.start)
        return numbers
    finally:
        bpy.data.scenes.remove(scene)
        bpy.data.worlds.remove(world)
