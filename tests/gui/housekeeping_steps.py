"""Steps in a real window: the extension is disabled and enabled, and files are opened, often and while a job runs.

Arguments: the photo; how often.
"""

import sys
from importlib import import_module
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
from driving import run

PHOTO, TIMES = sys.argv[sys.argv.index("--") + 2 :]
MODULE = "bl_ext.user_default.marigold_depth"
HANDLERS = [name for name in dir(bpy.app.handlers) if isinstance(getattr(bpy.app.handlers, name), list)]


def steps(window):
    session = import_module(f"{MODULE}.operators.session")
    phase = import_module(f"{MODULE}.operators.task").Phase
    report = window.report
    yield from window.open_sidebar("VIEW_3D", "Marigold")
    report["before"], others = footprint(), children()  # Blender may have a child of its own
    for number in range(int(TIMES)):
        start_job(window, number)
        yield 0.3
        bpy.ops.preferences.addon_disable(module=MODULE)
        report.setdefault("after_disabling", []).append(sorted(children() - others))
        yield 0.05
        bpy.ops.preferences.addon_enable(module=MODULE)
        yield 0.05
    report["after"] = footprint()
    report["tasks"] = len(session.tasks)

    start_job(window, 1000, steps=4, ensemble=1)
    for _ in range(int(TIMES)):
        bpy.ops.wm.read_homefile(use_factory_startup=True)
        yield 0.1
    offered = lambda: bool(session.tasks) and session.tasks[0].phase is phase.OFFERED  # noqa: E731
    yield from window.wait_for("the result to be offered", offered, 120)
    with window.override():
        bpy.ops.marigold.apply_result(task=session.tasks[0].id)
    report["made"] = [o.name for o in bpy.data.objects if o.type == "MESH" and o.data.marigold.depth]
    report["after_files"] = footprint()


def start_job(window, seed, **settings):
    with window.override():
        bpy.ops.marigold.photo_to_scene(
            "INVOKE_DEFAULT", filepath=PHOTO, seed=seed, vertices=500, **{"steps": 50, "ensemble": 20, **settings}
        )


def footprint():
    """What the extension has left in Blender: handlers, classes, properties."""
    handlers = sum(len(getattr(bpy.app.handlers, name)) for name in HANDLERS)
    classes = sum(name.startswith("MARIGOLD") for name in dir(bpy.types))
    return {"handlers": handlers, "classes": classes, "operators": len(dir(bpy.ops.marigold))}


def children():
    return set(Path("/proc/self/task").joinpath(Path("/proc/self").resolve().name, "children").read_text().split())


run(steps)
