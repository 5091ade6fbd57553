"""Steps in a real window: every panel in both themes and in a narrow sidebar; how long each draw takes."""

import sys
from importlib import import_module
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
from driving import run
from looks import watch_draws

PHOTO = sys.argv[sys.argv.index("--") + 2]
MODULE = "bl_ext.user_default.marigold_depth"
LIGHT = next(Path(bpy.utils.preset_paths("interface_theme")[0]).glob("Blender_Light.xml"))
DRAWS = 40


def steps(window):
    session = import_module(f"{MODULE}.operators.session")
    panels = import_module(f"{MODULE}.panels")
    took = watch_draws(panels.CLASSES)
    yield from window.open_sidebar("VIEW_3D", "Marigold")
    settings = bpy.context.scene.marigold
    settings.filepath = PHOTO
    with window.override():
        bpy.ops.marigold.photo_to_scene("INVOKE_DEFAULT", filepath=PHOTO, preset="DRAFT", ensemble=3, vertices=20_000)
    yield from window.wait_for("the mesh", lambda: not session.tasks, 180)
    view = window.area("VIEW_3D").spaces.active
    view.shading.color_type = "TEXTURE"

    # something that runs, something that waits, something that failed
    with window.override():
        bpy.ops.marigold.photo_to_scene("INVOKE_DEFAULT", filepath="/photos/gone.jpg")
    yield from window.wait_for("the failure", lambda: bool(session.failures), 60)
    with window.override():
        bpy.ops.marigold.photo_to_scene("INVOKE_DEFAULT", filepath=PHOTO, steps=40, ensemble=20, seed=7)
        bpy.ops.marigold.estimate_depth("INVOKE_DEFAULT", filepath=PHOTO, seed=8)
        bpy.ops.object.select_all(action="DESELECT")
    bpy.context.view_layer.objects.active = bpy.data.objects["china"]
    yield from window.wait_for("progress", lambda: session.shown(session.tasks[0]).fraction > 0.3, 120)
    window.screenshot("1_dark")
    yield from draw_often("VIEW_3D")

    bpy.ops.script.execute_preset(filepath=str(LIGHT), menu_idname="USERPREF_MT_interface_theme_presets")
    yield 1.0
    window.screenshot("2_light")
    yield from window.drag_edge(window.region("VIEW_3D", "UI"), 130)
    yield 1.0
    window.report["narrow"] = window.region("VIEW_3D", "UI").width
    window.screenshot("3_narrow")
    bpy.ops.preferences.reset_default_theme()
    yield 0.5
    bpy.ops.marigold.cancel_job()
    bpy.ops.marigold.dismiss_failures()
    yield from window.wait_for("the cancel", lambda: not session.tasks, 20)
    yield from window.drag_edge(window.region("VIEW_3D", "UI"), -130)
    yield 0.5

    # the training section, and the preferences
    show_alone("MARIGOLD_PT_training", panels.CLASSES)
    yield from draw_often("VIEW_3D")
    window.screenshot("4_training")
    bpy.ops.preferences.addon_show(module=MODULE)
    yield 1.0
    yield from draw_often("PREFERENCES")
    window.screenshot("5_preferences")
    window.report["draws"] = {name: sorted(seconds) for name, seconds in took.items()}


def draw_often(kind):
    """Have every area of a kind drawn often enough that the few draws which were interrupted do not count."""
    for _ in range(DRAWS):
        for screen_window in bpy.context.window_manager.windows:
            for area in screen_window.screen.areas:
                if area.type == kind:
                    for region in area.regions:
                        region.tag_redraw()
        yield 0.05


def show_alone(name, classes):
    """Show one section open and none of the others: where a closed one's header is to be clicked cannot be asked."""
    for cls in classes:
        if getattr(cls, "bl_parent_id", ""):
            bpy.utils.unregister_class(cls)
            if cls.__name__ == name:
                content = {key: value for key, value in vars(cls).items() if key in ("bl_label", "draw")}
                bpy.utils.register_class(type(f"{name}_open", cls.__bases__, content))


run(steps)
