# SPDX-License-Identifier: GPL-3.0-or-later
"""Meshes and points as files, without Blender: for the `marigold mesh` command."""
