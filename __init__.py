# SPDX-License-Identifier: GPL-3.0-or-later
"""Marigold Depth: photos to 3D inside Blender. This file only registers the parts."""

from . import operators, panels
from .marigold_blender import scene


def register() -> None:
    scene.register()
    operators.register()
    panels.register()


def unregister() -> None:
    panels.unregister()
    operators.unregister()
    scene.unregister()
