"""Steps in a real window: press Photo to 3D, see progress, cancel; press again, get the mesh; undo, redo."""

import sys
from importlib import import_module
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
from driving import run
from holding import watch_main_thread

PHOTO = sys.argv[sys.argv.index("--") + 2]
MODULE = "bl_ext.user_default.marigold_depth"


def steps(window):
    session = import_module(f"{MODULE}.operators.session")
    held = watch_main_thread(window)
    settings = bpy.context.scene.marigold
    settings.filepath = PHOTO
    settings.steps, settings.ensemble = 100, 50
    yield from window.open_sidebar("VIEW_3D", "Marigold")
    window.screenshot("1_ready")
    sidebar_region = window.region("VIEW_3D", "UI")

    yield from window.find_button(sidebar_region, "marigold.photo_to_scene")
    run_button = window.report["run_button"] = window.found
    yield from window.click(*run_button)
    yield from window.wait_for("the job to start", lambda: bool(session.tasks), 5)
    shares = []

    def has_moved():
        if session.tasks and session.tasks[0].job:
            shares.append(session.tasks[0].job.overall)
        return len(set(shares)) >= 6 and session.tasks[0].job.stage == "denoising"

    yield from window.wait_for("progress", has_moved, 180)
    window.report["shares"] = sorted(set(shares))
    window.screenshot("2_running")
    objects_before = len(bpy.data.objects)
    yield from window.find_button(sidebar_region, "marigold.cancel_job", from_right=45)
    window.report["cancel_button"] = window.found
    yield from window.click(*window.found)
    yield from window.wait_for("the cancel to be obeyed", lambda: not session.tasks, 15)
    window.report["objects_after_cancel"] = len(bpy.data.objects) - objects_before
    window.report["worker_stays"] = session.queue.worker_pid is not None

    settings.steps = settings.ensemble = 0
    yield 0.2
    yield from window.click(*run_button)
    yield from window.wait_for("the job to start", lambda: bool(session.tasks), 5)
    yield from window.wait_for("the mesh", lambda: not session.tasks, 90)
    window.report["failures"] = [failure.error.message for failure in session.failures]
    made = bpy.context.view_layer.objects.active
    window.report["active"] = made.name
    window.report["vertices"] = len(made.data.vertices)
    view = window.area("VIEW_3D").spaces.active
    view.region_3d.view_perspective = "PERSP"
    view.shading.color_type = "TEXTURE"
    with bpy.context.temp_override(
        window=bpy.context.window_manager.windows[0],
        area=window.area("VIEW_3D"),
        region=window.region("VIEW_3D", "WINDOW"),
    ):
        bpy.ops.view3d.view_selected()
    yield 1.5
    window.screenshot("3_mesh")

    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.ed.undo()
        yield 0.5
        window.report["objects_after_undo"] = len(bpy.data.objects) - objects_before
        bpy.ops.ed.redo()
        yield 0.5
        window.report["objects_after_redo"] = len(bpy.data.objects) - objects_before
    window.report["held"] = held


run(steps)
