"""Steps in a real window: a live mesh and its inputs in the modifier, a change, baking, and undo."""

import sys
from importlib import import_module
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))
from driving import run

from tests.blender.synthetic_photo import garden, write_job

MODULE = "bl_ext.user_default.marigold_depth"
SIZE = (800, 600)


def steps(window):
    images = import_module(f"{MODULE}.marigold_blender.scene.depth_image")
    versions = import_module(f"{MODULE}.marigold_blender.scene.versions")
    depth = images.load_depth(write_job(window.folder / "job", *garden(*SIZE), focal_px=700.0))
    yield from window.open_sidebar("VIEW_3D", "Marigold")
    with window.override():
        bpy.ops.marigold.build_mesh("EXEC_DEFAULT", True, depth=depth.name, live=True, vertices=200_000)
    built = bpy.context.view_layer.objects.active
    window.report["live"] = [modifier.name for modifier in built.modifiers]
    window.area("PROPERTIES").spaces.active.context = "MODIFIER"
    window.area("VIEW_3D").spaces.active.shading.color_type = "TEXTURE"
    with window.override():
        bpy.ops.view3d.view_selected()
    yield 1.0
    window.screenshot("1_live")
    versions.set_modifier_input(built.modifiers[0], "Far", 6.0)
    yield 0.5
    with window.override():
        bpy.ops.marigold.bake_mesh("EXEC_DEFAULT", True)
    yield 0.5
    window.report["baked"] = [modifier.name for modifier in built.modifiers]
    window.report["far_after_baking"] = depth.marigold.far
    with window.override():
        bpy.ops.ed.undo()
    yield 0.5
    window.report["undone"] = [modifier.name for modifier in bpy.context.view_layer.objects.active.modifiers]


run(steps)
