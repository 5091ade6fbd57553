# SPDX-License-Identifier: GPL-3.0-or-later
"""What the files of one depth map are called. Called by `write`, `read` and by whatever chooses names for results."""

from __future__ import annotations

import re
from pathlib import Path

SUFFIXES = {
    "depth": "_depth.exr",
    "mask": "_mask.png",
    "uncertainty": "_uncertainty.exr",
    "depth_png": "_depth.png",
    "preview": "_preview.png",
    "record": ".json",
}
LONGEST_STEM = 100  # bytes: leaves room for suffixes, numbers and temporary names in the 255 that file systems allow
FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')  # on Windows, which has the strictest rules
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)


def depth_paths(folder: Path, name: str) -> dict[str, Path]:
    """Where each file of the depth map `name` stands."""
    return {part: folder / f"{name}{suffix}" for part, suffix in SUFFIXES.items()}


def safe_stem(name: str) -> str:
    """A stem like `name` that every file system takes, and that is not hidden."""
    stem = FORBIDDEN.sub("_", name)
    stem = stem.encode("utf-8", "replace")[:LONGEST_STEM].decode("utf-8", "ignore")
    stem = stem.strip().lstrip(".").rstrip(". ")
    if RESERVED.fullmatch(stem):
        stem = f"_{stem}"
    return stem or "photo"
