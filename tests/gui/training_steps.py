"""Steps in a real window: train on the open file, stop, go on, and use the model that came out.

Argument: a photo to use it on.
"""

import os
import sys
from importlib import import_module
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
from driving import run

PHOTO = sys.argv[sys.argv.index("--") + 2]
MODULE = "bl_ext.user_default.marigold_depth"
HOME = Path(os.environ["MARIGOLD_HOME"])
TINY = dict(pictures=4, steps=6, resolution=64, batch=1, accumulate=1, base="demo")


def steps(window):
    session = import_module(f"{MODULE}.operators.session")
    phase = import_module(f"{MODULE}.operators.task").Phase
    report = window.report
    bpy.ops.mesh.primitive_plane_add(size=30)
    for x in range(-6, 7, 3):
        bpy.ops.mesh.primitive_monkey_add(location=(x, x / 2, 1))
    for name, value in TINY.items():
        setattr(bpy.context.scene.marigold.training, name, value)
    yield from window.open_sidebar("VIEW_3D", "Marigold")

    with window.override():
        bpy.ops.marigold.train("INVOKE_DEFAULT", name="monkeys", steps=200)
    stages = []

    def trains():
        text = session.shown(session.tasks[0]).text
        if not stages or stages[-1] != text:
            stages.append(text)
        return text.startswith("Training") and not text.endswith(" 0/200")

    yield from window.wait_for("training", trains, 240)
    yield 0.5
    window.screenshot("1_training")
    report["stages"] = stages
    bpy.ops.marigold.cancel_job(task=session.tasks[0].id)
    yield from window.wait_for("the stop", lambda: not session.tasks, 60)
    report["failures"] = [failure.error.message for failure in session.failures]
    checkpoint = HOME / "training/monkeys/run/checkpoint/model_index.json"
    report["stopped_with_a_model"] = checkpoint.is_file()

    rows = (HOME / "training/monkeys/run/log.csv").read_text().splitlines()
    done = report["steps_when_stopped"] = int(rows[-1].split(",")[0])
    with window.override():
        bpy.ops.marigold.train("INVOKE_DEFAULT", name="monkeys", steps=done + 2)
    offered = lambda: bool(session.tasks) and session.tasks[0].phase is phase.OFFERED  # noqa: E731
    yield from window.wait_for("the model to be offered", offered, 120)
    yield 0.5
    window.screenshot("2_offered")
    yield from window.find_button(window.region("VIEW_3D", "UI"), "marigold.apply_result")
    yield from window.click(*window.found)
    report["chosen"] = bpy.context.scene.marigold.model
    with window.override():
        bpy.ops.marigold.photo_to_scene("INVOKE_DEFAULT", filepath=PHOTO, preset="DRAFT", vertices=500)
    yield from window.wait_for("the mesh", lambda: not session.tasks, 120)
    report["failures"] += [failure.error.message for failure in session.failures]
    report["estimated_with"] = bpy.data.objects["china"].data.marigold.depth.marigold.model


run(steps)
