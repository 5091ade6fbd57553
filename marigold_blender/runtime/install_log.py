# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of one run of the installer, kept in the runtime's folder. Used by `command` and `build`."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from .failures import redacted
from .folder import Layout

KEPT = 5


class InstallLog:
    """Lines with their time, without passwords; a log that cannot be written must not stop the work."""

    def __init__(self, layout: Layout, title: str) -> None:
        self.path: Path | None = layout.logs / f"{time.strftime('%Y%m%d-%H%M%S')}-{title}.log"
        try:
            self._file = self.path.open("a", encoding="utf-8", buffering=1)
        except OSError:
            self.path = None
        else:
            for old in sorted(layout.logs.glob("*.log"))[:-KEPT]:
                with contextlib.suppress(OSError):
                    old.unlink()

    def write(self, text: str) -> None:
        if self.path:
            with contextlib.suppress(OSError):  # the disk is full: that is told elsewhere
                self._file.write(f"{time.strftime('%H:%M:%S')} {redacted(text)}\n")

    def close(self) -> None:
        """Windows deletes no open file."""
        if self.path:
            self._file.close()
            self.path = None
