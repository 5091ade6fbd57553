# SPDX-License-Identifier: GPL-3.0-or-later
"""What the extension can do, one file per capability; each operator calls one function of marigold_blender."""

import bpy

from . import (
    bake_mesh,
    build_mesh,
    calibrate,
    clip,
    command,
    depth_of_field,
    files,
    focus,
    jobs,
    known_places,
    models,
    outputs,
    photo_camera,
    photo_icon,
    photo_to_scene,
    render_focus,
    render_memory,
    runtime,
    runtime_plan,
    scene_settings,
    session,
    train,
)

CLASSES = (
    *photo_to_scene.CLASSES,
    *build_mesh.CLASSES,
    *bake_mesh.CLASSES,
    *outputs.CLASSES,
    *calibrate.CLASSES,
    *known_places.CLASSES,
    *photo_camera.CLASSES,
    *jobs.CLASSES,
    *train.CLASSES,
    *runtime.CLASSES,
    *models.CLASSES,
    *files.CLASSES,
    *clip.CLASSES,
    *depth_of_field.CLASSES,
    *focus.CLASSES,
)


def register() -> None:
    scene_settings.register()
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    command.register()
    render_memory.register()
    render_focus.register()


def unregister() -> None:
    session.shutdown()
    runtime_plan.forget()
    photo_icon.forget()
    render_focus.unregister()
    render_memory.unregister()
    command.unregister()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
    scene_settings.unregister()
