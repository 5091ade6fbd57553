"""Steps in a real window, from a fresh user folder to the mesh: runtime, model, a photo that is dropped.

Arguments: the photo; the environment to adopt, or `install` for a real installation by Base Python.
"""

import sys
import time
from importlib import import_module
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
from driving import run

PHOTO, ENVIRONMENT, BASE_PYTHON = sys.argv[sys.argv.index("--") + 2 :]
MODULE = "bl_ext.user_default.marigold_depth"
MODEL = "marigold-depth-v1-1"
INSTALL_S = 1800


def steps(window):
    session = import_module(f"{MODULE}.operators.session")
    jobs = import_module(f"{MODULE}.operators.jobs")
    state = import_module(f"{MODULE}.operators.state")
    runtime_plan = import_module(f"{MODULE}.operators.runtime_plan")
    report = window.report
    preferences = bpy.context.preferences.addons[MODULE].preferences
    yield from window.open_sidebar("VIEW_3D", "Marigold")
    sidebar = window.region("VIEW_3D", "UI")

    # step 1: the runtime. Debian's Python cannot make one, which is said in one sentence
    yield from window.wait_for("the plan", lambda: runtime_plan.current() is not None, 30)
    yield 0.5
    window.screenshot("1_no_runtime")
    report["plan_without_base"] = str(runtime_plan.current())
    preferences.base_python = BASE_PYTHON
    yield 0.5
    yield from window.wait_for("another plan", lambda: runtime_plan.current() is not None, 60)
    yield 0.5
    window.screenshot("2_plan")
    report["plan"] = runtime_plan.current()
    if ENVIRONMENT == "install":
        bpy.context.preferences.system.use_online_access = True
        yield 1.0
        yield from window.find_button(sidebar, "marigold.install_runtime")
        yield from window.click(*window.found)
    else:
        with window.override():
            bpy.ops.marigold.adopt_runtime("INVOKE_DEFAULT", filepath=ENVIRONMENT)
    started = time.monotonic()
    yield from window.wait_for("the installer", lambda: bool(session.tasks), 10)
    yield 1.5
    window.screenshot("3_installing")
    yield from window.wait_for("the runtime", lambda: not session.tasks, INSTALL_S)
    if session.failures:
        raise RuntimeError(jobs.failure_text(session.failures[0]))
    report["installed_in_s"] = round(time.monotonic() - started)
    report["failures"] = []
    yield from window.wait_for("the panel to know", lambda: bool(state.current().python), 10)
    yield 1.0
    window.screenshot("4_runtime_ready")

    # step 2: a model; its licence is shown and accepted, once online access is allowed
    bpy.ops.marigold.choose_model(model=MODEL)
    bpy.context.preferences.system.use_online_access = False
    yield 1.0
    window.screenshot("5_offline")
    bpy.context.preferences.system.use_online_access = True
    yield 1.0
    yield from window.find_button(sidebar, "marigold.download_model")
    yield from window.click(*window.found)
    yield 1.0
    window.screenshot("6_licence")
    window.key("Return")
    yield from window.wait_for("the download", lambda: bool(session.tasks), 10)
    yield 0.5
    window.screenshot("7_downloading")
    yield from window.wait_for("the model", lambda: not session.tasks, 120)
    report["failures"] += [failure.error.message for failure in session.failures]
    present = lambda: state.current().models[MODEL].state == "present"  # noqa: E731
    yield from window.wait_for("the panel to know", present, 10)
    yield 0.5
    window.screenshot("8_model_ready")

    # step 3: a photo is dropped on the 3D View
    view = window.region("VIEW_3D", "WINDOW")
    window.point(view.x + view.width // 3, view.y + view.height // 2)
    yield 0.5
    with window.override():
        bpy.ops.wm.drop_import_file(
            "INVOKE_DEFAULT", directory=str(Path(PHOTO).parent) + "/", files=[{"name": Path(PHOTO).name}]
        )
    yield 1.0
    window.screenshot("9_dropped")
    # below Blender's own “Add Empty Image”: the menu opens with its last entry under the pointer
    yield from window.click(*window.pointer)
    yield from window.wait_for("the job", lambda: bool(session.tasks), 10)
    yield from window.wait_for("the mesh", lambda: not session.tasks, 180)
    report["failures"] += [failure.error.message for failure in session.failures]
    made = bpy.context.view_layer.objects.active
    report["made"] = made.name
    report["estimated_with"] = made.data.marigold.depth.marigold.model
    view_3d = window.area("VIEW_3D").spaces.active
    view_3d.shading.color_type = "TEXTURE"
    with window.override():
        bpy.ops.view3d.view_selected()
    yield 4.0
    window.screenshot("10_made")
    report["guide_is_over"] = not import_module(f"{MODULE}.panels.guide").is_needed(state.current())


run(steps)
