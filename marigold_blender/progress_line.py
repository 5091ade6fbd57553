# SPDX-License-Identifier: GPL-3.0-or-later
"""A task's progress on a terminal. Called by the commands."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

MB = 1e6


class ProgressLine:
    """One line on a terminal that shows how far a photo or a model is; nothing where stderr is a file."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._shows = sys.stderr.isatty()

    def show(self, update: dict[str, Any]) -> None:
        if self._shows:
            text = f"{update['overall']:4.0%} {self._title}: {update['stage']}{_count(update)}"
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._shows:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


def _count(update: dict[str, Any]) -> str:
    """How much of the stage is done: pieces, or megabytes with their speed and the time left."""
    done, total = update["done"], update["total"]
    if "bytes_per_s" in update:
        left = f", {update['seconds_left']} s left" if update["seconds_left"] is not None else ""
        return f" {done / MB:.0f} of {total / MB:.0f} MB, {update['bytes_per_s'] / MB:.1f} MB/s{left}"
    return f" {done}/{total}" if total > 1 else ""
