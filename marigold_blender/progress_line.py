# SPDX-License-Identifier: GPL-3.0-or-later
"""A task's progress on a terminal. Called by the commands."""

from __future__ import annotations

import sys
from typing import Any


class ProgressLine:
    """One line on a terminal that shows how far a photo is; nothing where stderr is a file."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._shows = sys.stderr.isatty()

    def show(self, update: dict[str, Any]) -> None:
        if self._shows:
            count = f" {update['done']}/{update['total']}" if update["total"] > 1 else ""
            text = f"{update['overall']:4.0%} {self._title}: {update['stage']}{count}"
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._shows:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
