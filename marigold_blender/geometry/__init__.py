# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras, unprojection, discontinuities and grid meshes, in numpy only: used inside Blender and in the worker."""
