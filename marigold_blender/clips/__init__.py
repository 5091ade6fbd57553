# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips: movies and image sequences read frame by frame, and the depth of a clip on disk. Runs in the worker."""
