# SPDX-License-Identifier: GPL-3.0-or-later
"""Marigold's training: scenes that Blender renders, the recipe of the paper, evaluation on data sets.

Files that need bpy (`scenes/`, `render_process.py`) and files that need torch never import each other: the renderer
runs in Blender's Python, which has no torch. They meet in the data set on disk (`dataset.py`).
"""
