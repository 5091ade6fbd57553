"""Steps in a real window: pick two points of a photo by the eyedropper, enter their distances, calibrate, undo."""

import sys
import tempfile
from importlib import import_module
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))
from driving import run
from looks import watch_draws

from tests.blender.synthetic_photo import garden, write_job

PHOTO = sys.argv[sys.argv.index("--") + 2]
MODULE = "bl_ext.user_default.marigold_depth"
PLACES = {(0.5, 0.1): 2.0, (0.3, 0.9): 9.0}  # the ground at the feet, the wall


def steps(window):
    took = watch_draws(import_module(f"{MODULE}.panels").CLASSES)
    bpy.ops.marigold.estimate_depth(filepath=PHOTO, preset="DRAFT")  # sections wait until something was ever made
    load_depth = import_module(f"{MODULE}.marigold_blender.scene.depth_image").load_depth
    name = load_depth(write_job(Path(tempfile.mkdtemp()), *garden(320, 240))).name
    bpy.ops.ed.undo_push(message="loaded")
    area = window.area("VIEW_3D")
    area.type = "IMAGE_EDITOR"
    area.spaces.active.image = bpy.data.images[name]
    open_section("MARIGOLD_PT_calibration_image")
    current = import_module(f"{MODULE}.operators.state").current
    yield from window.wait_for("the panel to know", lambda: bool(current()), 20)
    yield from window.open_sidebar("IMAGE_EDITOR", "Marigold")
    with bpy.context.temp_override(
        window=bpy.context.window_manager.windows[0], area=area, region=window.region("IMAGE_EDITOR", "WINDOW")
    ):
        bpy.ops.image.view_all(fit_view=True)
    yield 1.0
    for place, distance in PLACES.items():
        yield from window.find_button(window.region("IMAGE_EDITOR", "UI"), "marigold.pick_known")
        yield from window.click(*window.found)
        region = window.region("IMAGE_EDITOR", "WINDOW")
        x, y = region.view2d.view_to_region(*place, clip=False)
        count = len(known(name).points)
        yield from window.click(region.x + x, region.y + y)
        yield from window.wait_for("the point", lambda before=count: len(known(name).points) == before + 1, 10)
        known(name).points[-1].distance = distance
        yield 0.5
    window.report["picked"] = [tuple(point.place) for point in known(name).points]
    known(name).measure = "PLANAR"
    bpy.ops.ed.undo_push(message="distances")
    yield from window.find_button(window.region("IMAGE_EDITOR", "UI"), "marigold.calibrate_depth")
    yield from window.click(*window.found)
    yield from window.wait_for("the result", lambda: bpy.data.images[name].marigold.calibrated == "CALIBRATED", 10)
    yield 1.0
    window.screenshot("calibrated")
    properties = bpy.data.images[name].marigold
    window.report["calibrated"] = [properties.near, properties.far]
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.ed.undo()
    yield 0.5
    properties = bpy.data.images[name].marigold
    window.report["undone"] = [properties.near, properties.far, properties.calibrated, len(properties.known.points)]
    window.report["draws"] = took["MARIGOLD_PT_calibration_image"]


def known(name):
    return bpy.data.images[name].marigold.known


def open_section(name):
    """Show one section open, right under the main panel."""
    cls = next(cls for cls in import_module(f"{MODULE}.panels").CLASSES if cls.__name__ == name)
    bpy.utils.unregister_class(cls)
    content = {"bl_label": cls.bl_label, "bl_options": set(), "bl_parent_id": "MARIGOLD_PT_image", "draw": cls.draw}
    bpy.utils.register_class(type(f"{name}_open", cls.__bases__, content))


run(steps)
