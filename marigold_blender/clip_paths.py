# SPDX-License-Identifier: GPL-3.0-or-later
"""What a path means: a photo, a movie or an image sequence. Standard library only: asked by commands and in Blender."""

from __future__ import annotations

from pathlib import Path

MOVIES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mxf", ".ogv", ".wmv", ".flv", ".3gp")


def is_movie(path: Path) -> bool:
    return path.suffix.lower() in MOVIES


def is_clip(path: Path) -> bool:
    """Whether a path means a clip rather than a photo: a movie, a folder, or a name with # for the frame's number."""
    return path.is_dir() or "#" in path.name or is_movie(path)
