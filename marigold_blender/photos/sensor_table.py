# SPDX-License-Identifier: GPL-3.0-or-later
"""Sensor sizes of cameras that do not write them: the lensfun project's table. Called by `exif_camera`."""

from __future__ import annotations

import functools
from typing import Any

SAME_SIZE = 0.02  # variants of one model must agree on its sensor


def crop_factor(make: str, model: str) -> float | None:
    """Diagonal of a 35 mm frame over that of the camera's sensor; None where the table does not know the camera.

    Args:
        make, model: as the camera writes them into its photos.
    """
    table = _table() if make and model else None
    factors = [camera.crop_factor for camera in table.find_cameras(make, model)] if table else []
    known = [factor for factor in factors if factor > 0]
    if not known or max(known) > min(known) * (1 + SAME_SIZE):
        return None
    return float(known[0])


@functools.cache
def _table() -> Any:
    """About a thousand cameras, read in 50 ms; None in a runtime that was installed before there was a table."""
    try:
        import lensfunpy
    except ImportError:
        return None
    return lensfunpy.Database()
