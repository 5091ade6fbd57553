# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole sentences in a panel. Labels of Blender show one line and cut off the rest."""

import textwrap

import bpy

PIXELS_PER_CHARACTER = 6.6
LEAST_CHARACTERS = 16


def paragraph(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE") -> None:
    """A sentence over as many lines as the region's width asks for."""
    region = context.region
    scale = context.preferences.system.ui_scale
    width = int(region.width / (PIXELS_PER_CHARACTER * scale)) - 7 if region else 60
    column = layout.column(align=True)
    for number, line in enumerate(textwrap.wrap(text, max(width, LEAST_CHARACTERS))):
        if number == 0 and icon != "NONE":
            column.label(text=line, icon=icon)
        else:
            column.label(text=line, icon="BLANK1" if icon != "NONE" else "NONE")
