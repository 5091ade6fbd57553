# SPDX-License-Identifier: GPL-3.0-or-later
"""Marigold monocular depth, as an importable package: the part of the extension that is not Blender's user interface.

Importing it imports nothing heavy: torch and diffusers are loaded only by `estimation`, bpy only by `scene`.
"""

__version__ = "0.1.0"
