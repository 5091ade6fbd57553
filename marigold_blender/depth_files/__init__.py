# SPDX-License-Identifier: GPL-3.0-or-later
"""Depth on disk: EXR, mask, previews and record. Imported by the worker and the command line, never by Blender."""
