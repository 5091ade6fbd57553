"""Steps in a real window: jobs and downloads run for a while; how long the extension holds the main thread meanwhile.

Arguments: the photo; how many seconds.
"""

import itertools
import sys
import time
from importlib import import_module
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
from driving import run
from holding import watch_main_thread

PHOTO, SECONDS = sys.argv[sys.argv.index("--") + 2 :]
MODULE = "bl_ext.user_default.marigold_depth"
MODEL = "marigold-depth-v1-1"
STEP_S = 0.02


def steps(window):
    session = import_module(f"{MODULE}.operators.session")
    model_task = import_module(f"{MODULE}.operators.model_task").ModelTask
    held = watch_main_thread(window)
    bpy.context.preferences.system.use_online_access = True
    bpy.ops.marigold.accept_licence(licence="OpenRAIL++-M")
    yield from window.open_sidebar("VIEW_3D", "Marigold")
    seeds, jobs, downloads = itertools.count(), 0, 0
    until = time.monotonic() + float(SECONDS)
    while time.monotonic() < until:
        with window.override():
            if sum(not isinstance(task, model_task) for task in session.tasks) < 2:
                bpy.ops.marigold.photo_to_scene("INVOKE_DEFAULT", filepath=PHOTO, seed=next(seeds), vertices=100_000)
                jobs += 1
            if not any(isinstance(task, model_task) for task in session.tasks):
                bpy.ops.marigold.delete_model(model=MODEL)
                bpy.ops.marigold.download_model("INVOKE_DEFAULT", model=MODEL)
                downloads += 1
        for made in [
            thing for thing in bpy.data.objects if thing.type in ("MESH", "CAMERA") and thing.data.marigold.depth
        ]:
            bpy.data.objects.remove(made)  # drawing ever more of them by software would take all the time
        window.region("VIEW_3D", "UI").tag_redraw()
        yield STEP_S
    window.screenshot("1_both")
    bpy.ops.marigold.cancel_job()
    yield from window.wait_for("the cancel", lambda: not session.tasks, 30)
    window.report["failures"] = [failure.error.message for failure in session.failures]
    window.report["jobs"], window.report["downloads"] = jobs, downloads
    window.report["held"] = held


run(steps)
