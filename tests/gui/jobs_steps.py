"""Steps in a real window: many jobs at once, some cancelled, one failed and tried again; a render takes the memory.

Arguments: a folder with the photos a.jpg, b.jpg and c.jpg, in which late.jpg is still missing.
"""

import shutil
import sys
from importlib import import_module
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
from driving import run

PHOTOS = Path(sys.argv[sys.argv.index("--") + 2])
MODULE = "bl_ext.user_default.marigold_depth"
QUICK = dict(preset="DRAFT", vertices=500)


def steps(window):
    session = import_module(f"{MODULE}.operators.session")
    report = window.report

    def made():
        return sorted(o.name for o in bpy.data.objects if o.type == "MESH" and o.data.marigold.depth)

    yield from window.open_sidebar("VIEW_3D", "Marigold")
    sidebar = window.region("VIEW_3D", "UI")

    # three photos of one folder, as the file browser and a drop hand them over; the second is taken back
    with window.override():
        bpy.ops.marigold.photo_to_scene(
            "INVOKE_DEFAULT", directory=f"{PHOTOS}/", files=[{"name": f"{name}.jpg"} for name in "abc"], **QUICK
        )
    report["queued"] = [task.title for task in session.tasks]
    yield from window.wait_for("the first to run", lambda: session.shown(session.tasks[0]).fraction > 0, 60)
    window.screenshot("1_queue")
    report["states"] = [session.shown(task).text for task in session.tasks[1:]]
    bpy.ops.marigold.cancel_job(task=session.tasks[1].id)
    yield from window.wait_for("the other two", lambda: not session.tasks, 120)
    report["made"] = made()

    # a failure stays until it is mended and tried again by its button
    with window.override():
        bpy.ops.marigold.photo_to_scene("INVOKE_DEFAULT", filepath=str(PHOTOS / "late.jpg"), **QUICK)
    yield from window.wait_for("the failure", lambda: bool(session.failures), 60)
    shutil.copy(PHOTOS / "a.jpg", PHOTOS / "late.jpg")
    yield from window.find_button(sidebar, "marigold.copy_failure", from_right=110)
    yield from window.click(*window.found)
    report["copied"] = bpy.context.window_manager.clipboard
    yield from window.find_button(sidebar, "marigold.retry_job", from_right=220)
    yield from window.click(*window.found)
    yield from window.wait_for("the second try", lambda: "late" in made(), 60)
    report["failures_left"] = len(session.failures)

    # a render takes the memory back from the idle worker, and the next job starts another
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples = "CYCLES", 1
    scene.render.resolution_x, scene.render.resolution_y = 32, 32
    worker = report["worker_before"] = session.queue.worker_pid
    with window.override():
        bpy.ops.render.render("INVOKE_DEFAULT")
    yield from window.wait_for("the memory", lambda: not Path(f"/proc/{worker}").exists(), 20)
    yield from window.wait_for("the render", lambda: not bpy.app.is_job_running("RENDER"), 60)
    yield 1.0
    report["renders"] = session.renders
    with window.override():
        bpy.ops.marigold.photo_to_scene("INVOKE_DEFAULT", filepath=str(PHOTOS / "a.jpg"), seed=5, **QUICK)
    yield from window.wait_for("a new worker's mesh", lambda: "a.001" in made(), 90)

    # a result that comes while Blender renders waits for it: nothing may change under a render
    scene.cycles.samples, scene.cycles.use_adaptive_sampling = 1_000_000, False
    with window.override():
        bpy.ops.render.render("INVOKE_DEFAULT")
        bpy.ops.marigold.photo_to_scene("INVOKE_DEFAULT", filepath=str(PHOTOS / "a.jpg"), seed=5, **QUICK)
    waits = lambda: bool(session.tasks) and session.shown(session.tasks[0]).text == "Waiting for the render"  # noqa: E731
    yield from window.wait_for("the result to wait for the render", waits, 90)
    report["made_while_rendering"] = "a.002" in made()
    window.key("Escape")
    yield from window.wait_for("the result", lambda: "a.002" in made(), 30)

    # everything is cancelled at once: nothing is left, and nothing is made
    before = made()
    with window.override():
        for name in "abc":
            filepath = str(PHOTOS / f"{name}.jpg")
            bpy.ops.marigold.photo_to_scene("INVOKE_DEFAULT", filepath=filepath, steps=50, ensemble=20, seed=9)
    yield 1.0
    bpy.ops.marigold.cancel_job()
    yield from window.wait_for("the cancel", lambda: not session.tasks, 20)
    yield 0.5
    report["made_after_cancel"] = len(made()) - len(before)
    report["failures_after_cancel"] = len(session.failures)


run(steps)
