"""Steps in a real window: the section Clip, its button, its progress, and the depth that comes into the file.

Argument: a folder with a short image sequence.
"""

import sys
from importlib import import_module
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
from driving import run

CLIP = Path(sys.argv[sys.argv.index("--") + 2])
MODULE = "bl_ext.user_default.marigold_depth"


def steps(window):
    session = import_module(f"{MODULE}.operators.session")
    report = window.report
    open_section("MARIGOLD_PT_clip_view3d")
    photo = str(sorted(CLIP.iterdir())[0])
    with window.override():  # the sections appear after the first depth
        bpy.ops.marigold.estimate_depth("INVOKE_DEFAULT", filepath=photo, steps=1, resolution=64)
    yield from window.wait_for("the first depth", lambda: not session.tasks, 120)
    settings = bpy.context.scene.marigold
    settings.clip, settings.steps, settings.resolution = str(CLIP), 1, 64
    yield from window.open_sidebar("VIEW_3D", "Marigold")
    yield from window.find_button(window.region("VIEW_3D", "UI"), "marigold.estimate_clip")
    window.screenshot("1_section")
    assert window.found, "there is no button for clips"
    yield from window.click(*window.found)
    shares = []

    def watch():
        for task in session.tasks:
            shares.append(session.shown(task).fraction)
        return not session.tasks

    yield 0.3
    yield from window.wait_for("the clip", watch, 120)
    report["failures"] = [failure.error.message for failure in session.failures]
    report["shares"] = sorted({round(share, 2) for share in shares if share})
    depth = next(i for i in bpy.data.images if i.marigold.record and i.source == "SEQUENCE")
    report["depth"] = depth.name
    with window.override():
        bpy.ops.marigold.add_depth_of_field(depth=depth.name, focus=0.0, match_render=True)
    render = bpy.context.scene.render
    report["size"] = [render.resolution_x, render.resolution_y]
    report["files"] = sorted(path.name for path in CLIP.with_name(f"{CLIP.name}_depth").iterdir())
    window.screenshot("2_done")


def open_section(name: str) -> None:
    """Let a section that starts closed start open."""
    section = getattr(bpy.types, name)
    bpy.utils.unregister_class(section)
    section.bl_options = set()
    bpy.utils.register_class(section)


run(steps)
