# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user sees: the sidebar tab *Marigold* and the add-on's preferences. Drawn from state, never blocking."""

import bpy

from . import calibration, depth_of_field, model_choice, outputs, preferences, result, sections, sidebar, training

CLASSES = (
    *preferences.CLASSES,
    *model_choice.CLASSES,
    *sidebar.CLASSES,
    *sections.CLASSES,
    *result.CLASSES,
    *outputs.CLASSES,
    *calibration.CLASSES,
    *depth_of_field.CLASSES,
    *training.CLASSES,
)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
