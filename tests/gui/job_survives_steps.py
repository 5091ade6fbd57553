"""Steps in a real window: a job outlives Edit Mode, undo and another file; the Image Editor's panel estimates too."""

import sys
from importlib import import_module
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
from driving import run

PHOTO = sys.argv[sys.argv.index("--") + 2]
MODULE = "bl_ext.user_default.marigold_depth"


def steps(window):
    session = import_module(f"{MODULE}.operators.session")
    phase = import_module(f"{MODULE}.operators.task").Phase
    report = window.report

    def is_in(wanted):
        return lambda: bool(session.tasks) and session.tasks[0].phase is wanted

    def window_override():
        return bpy.context.temp_override(
            window=bpy.context.window_manager.windows[0],
            area=window.area("VIEW_3D"),
            region=window.region("VIEW_3D", "WINDOW"),
        )

    # Edit Mode: the result waits, and comes when Object Mode is back
    with window_override():
        bpy.ops.marigold.photo_to_scene("INVOKE_DEFAULT", filepath=PHOTO, preset="DRAFT", vertices=1000)
        bpy.ops.object.mode_set(mode="EDIT")
    yield from window.wait_for("the result to wait", is_in(phase.WAITING), 60)
    yield from window.open_sidebar("VIEW_3D", "Marigold")
    yield 0.5
    window.screenshot("1_waiting")
    report["made_in_edit_mode"] = "china" in bpy.data.objects
    with window_override():
        bpy.ops.object.mode_set(mode="OBJECT")
    yield from window.wait_for("the mesh", lambda: "china" in bpy.data.objects, 10)

    # undo and redo while a job runs
    with window_override():
        bpy.ops.marigold.photo_to_scene("INVOKE_DEFAULT", filepath=PHOTO, preset="DRAFT", seed=1, vertices=1000)
        bpy.ops.ed.undo()
        yield 0.2
        bpy.ops.ed.redo()
    yield from window.wait_for("the second mesh", lambda: not session.tasks, 60)
    report["after_undo_and_redo"] = sorted(o.name for o in bpy.data.objects if o.name.startswith("china"))

    # another file: the result is offered there, by a button
    with window_override():
        bpy.ops.marigold.photo_to_scene("INVOKE_DEFAULT", filepath=PHOTO, preset="DRAFT", seed=2, vertices=1000)
        bpy.ops.wm.read_homefile(use_factory_startup=True)
    yield from window.wait_for("the result to be offered", is_in(phase.OFFERED), 60)
    report["made_in_other_file"] = "china" in bpy.data.objects
    yield from window.open_sidebar("VIEW_3D", "Marigold")
    yield 0.5
    window.screenshot("2_offered")
    yield from window.find_button(window.region("VIEW_3D", "UI"), "marigold.apply_result")
    yield from window.click(*window.found)
    yield from window.wait_for("the mesh", lambda: "china" in bpy.data.objects, 10)
    report["tasks_left"] = len(session.tasks)

    # a failure is shown in the panel, with the button that mends it
    with window_override():
        bpy.ops.marigold.photo_to_scene("INVOKE_DEFAULT", filepath="/nothing.jpg")
    yield from window.wait_for("the failure", lambda: bool(session.failures), 30)
    yield 0.5
    window.screenshot("3_failed")
    report["failure"] = session.failures[0].error.message

    # the Image Editor has the tab too, for the image that it shows
    area = window.area("VIEW_3D")
    area.ui_type = "IMAGE_EDITOR"
    image = bpy.data.images.load(PHOTO)
    area.spaces.active.image = image
    yield 0.5
    yield from window.open_sidebar("IMAGE_EDITOR", "Marigold")
    yield 0.5
    yield from window.find_button(window.region("IMAGE_EDITOR", "UI"), "marigold.estimate_depth")
    yield from window.click(*window.found)
    yield from window.wait_for("the job", lambda: bool(session.tasks), 5)
    yield from window.wait_for("the depth", lambda: not session.tasks, 60)
    depths = [i for i in bpy.data.images if i.marigold.record and i.marigold.photo and i.name != "china depth"]
    report["depth_of_image"] = [tuple(depth.size) for depth in depths]
    if depths:
        area.spaces.active.image = depths[0]
    yield 1.0
    area.tag_redraw()
    yield 1.0
    window.screenshot("4_image_editor")

    # a job that runs when Blender is closed leaves nothing behind: the test looks at the process list
    report["worker_pid"] = session.queue.worker_pid


run(steps)
