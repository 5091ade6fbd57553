"""Steps in a real window: focus a photo by clicking on it, see it change; the same in the camera view."""

import sys
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from driving import run

PHOTO = sys.argv[sys.argv.index("--") + 2]
MODULE = "bl_ext.user_default.marigold_depth"
NEAR, FAR = (0.45, 0.12), (0.75, 0.85)  # the bushes at the bottom, the sky


def steps(window):
    from importlib import import_module

    session = import_module(f"{MODULE}.operators.session")
    find_pass = import_module(f"{MODULE}.marigold_blender.scene.depth_of_field_nodes").find_pass
    bpy.ops.marigold.estimate_depth(filepath=PHOTO, preset="BALANCED")
    depth = next(image for image in bpy.data.images if image.marigold.record)
    area = window.area("VIEW_3D")
    area.type = "IMAGE_EDITOR"
    area.spaces.active.image = depth.marigold.photo
    yield 0.5
    with bpy.context.temp_override(
        window=bpy.context.window_manager.windows[0], area=area, region=window.region("IMAGE_EDITOR", "WINDOW")
    ):
        bpy.ops.image.view_all(fit_view=True)
    yield from window.open_sidebar("IMAGE_EDITOR", "Marigold")
    sidebar = window.region("IMAGE_EDITOR", "UI")
    yield from window.find_button(sidebar, "marigold.add_depth_of_field")
    yield from window.click(*window.found)
    node = find_pass(bpy.context.scene)
    node.inputs["Blur at Far"].default_value = 6.0
    yield 0.3
    # the button Best is the right one of two
    yield from window.find_button(sidebar, "marigold.add_depth_of_field", from_right=sidebar.width // 4)
    yield from window.click(*window.found)
    yield from window.wait_for("the first picture", lambda: shown(window).name.endswith("focused"), 120)
    yield from window.find_button(sidebar, "marigold.pick_focus")
    pick = window.found
    results = {}
    for name, place in (("near", NEAR), ("far", FAR)):
        yield from window.click(*pick)
        yield from point_at(window, place)
        window.screenshot(f"1_eyedropper_{name}")
        window.press()
        yield from window.wait_for("the job", lambda: bool(session.tasks), 10)
        yield from window.wait_for("the picture", lambda: not session.tasks, 120)
        yield 0.8
        window.screenshot(f"2_focused_{name}")
        results[name] = {
            "focus": node.inputs["Focus"].default_value,
            "detail_near": detail(shown(window), slice(0, 90)),
            "detail_far": detail(shown(window), slice(-200, -60)),
        }
    window.report["picked"] = results
    window.report["failures"] = [failure.error.message for failure in session.failures]
    yield from in_the_camera_view(window, depth, node)


def in_the_camera_view(window, depth, node):
    bpy.ops.marigold.add_depth_of_field("EXEC_DEFAULT", method="NODES")
    area = window.area("IMAGE_EDITOR")
    area.type = "VIEW_3D"
    yield 0.5
    bpy.ops.marigold.build_mesh("EXEC_DEFAULT", depth=depth.name, match_render=True)
    area.spaces.active.region_3d.view_perspective = "CAMERA"
    yield 1.0
    with window.override():
        bpy.ops.marigold.pick_focus("EXEC_DEFAULT", x=NEAR[0], y=NEAR[1])
    before = node.inputs["Focus"].default_value
    with window.override():
        bpy.ops.marigold.pick_focus("INVOKE_DEFAULT")
    yield 1.0
    frame = camera_frame(window)
    left, bottom, right, top = frame
    window.point(int(left + (right - left) * FAR[0]), int(bottom + (top - bottom) * FAR[1]))
    yield 1.5
    window.screenshot("3_camera_view")
    window.press()
    yield 0.8
    camera = bpy.context.scene.camera.data
    window.report["camera_view"] = {
        "focus_before": before,
        "focus": node.inputs["Focus"].default_value,
        "distance": node.inputs["Focus Distance"].default_value,
        "camera_distance": camera.dof.focus_distance,
        "camera_uses_it": camera.dof.use_dof,
    }


def camera_frame(window):
    """Left, bottom, right, top of the camera's frame in window coordinates."""
    from bpy_extras import view3d_utils

    region = window.region("VIEW_3D", "WINDOW")
    view = window.area("VIEW_3D").spaces.active.region_3d
    camera = bpy.context.scene.camera
    corners = [
        view3d_utils.location_3d_to_region_2d(region, view, camera.matrix_world @ corner)
        for corner in camera.data.view_frame(scene=bpy.context.scene)
    ]
    xs, ys = [corner.x for corner in corners], [corner.y for corner in corners]
    return region.x + min(xs), region.y + min(ys), region.x + max(xs), region.y + max(ys)


def point_at(window, place):
    region = window.region("IMAGE_EDITOR", "WINDOW")
    x, y = region.view2d.view_to_region(*place, clip=False)
    window.point(region.x + x, region.y + y)
    yield 0.6


def shown(window):
    return window.area("IMAGE_EDITOR").spaces.active.image


def detail(image, rows):
    """Mean step between neighbouring pixels in some rows, counted from the bottom."""
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    part = pixels.reshape(height, width, 4)[rows, :, :3]
    return float(np.abs(np.diff(part, axis=1)).mean())


run(steps)
