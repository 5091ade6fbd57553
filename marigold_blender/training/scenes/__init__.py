# SPDX-License-Identifier: GPL-3.0-or-later
"""Procedural scenes, one family a file; `families.py` lists them. Runs inside Blender (bpy and numpy only)."""
