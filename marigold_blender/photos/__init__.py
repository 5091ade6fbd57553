# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads photos of any kind into upright sRGB pixels. Imported by the worker and the command line, never by Blender."""
