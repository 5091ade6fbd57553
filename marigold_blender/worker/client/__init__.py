# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts, polls, cancels and ends the worker. Standard library only and no threads: it runs inside Blender."""
