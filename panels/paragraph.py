# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole sentences in a panel. Labels of Blender show one line and cut off the rest."""

from functools import lru_cache

import blf
import bpy

FONT = 0
FRAME_PX = 62  # what stands beside the text in a box of the sidebar, at a scale of 1
ICON_PX = 34
LEAST_PX = 80


def paragraph(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE") -> None:
    """A sentence over as many lines as the region's width asks for."""
    scale = context.preferences.system.ui_scale
    taken = FRAME_PX + (ICON_PX if icon != "NONE" else 0)
    width = (context.region.width if context.region else 300) - round(taken * scale)
    size = context.preferences.ui_styles[0].widget.points * scale
    column = layout.column(align=True)
    column.scale_y = 0.85
    for number, line in enumerate(wrapped(text, max(width, round(LEAST_PX * scale)), size)):
        column.label(text=line, icon=icon if number == 0 or icon == "NONE" else "BLANK1")


@lru_cache(maxsize=256)
def wrapped(text: str, width_px: int, size: float) -> tuple[str, ...]:
    """A text cut into lines that fit, at spaces; a word that does not fit is cut too.

    Args:
        size: of the font, in pixels.
    """
    blf.size(FONT, size)
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and blf.dimensions(FONT, longer)[0] <= width_px:
            lines[-1] = longer
        else:
            lines += _pieces(word, width_px)
    return tuple(lines)


def _pieces(word: str, width_px: int) -> list[str]:
    """A word, such as a path, in pieces that fit."""
    pieces = [""]
    for letter in word:
        if pieces[-1] and blf.dimensions(FONT, pieces[-1] + letter)[0] > width_px:
            pieces.append("")
        pieces[-1] += letter
    return pieces
