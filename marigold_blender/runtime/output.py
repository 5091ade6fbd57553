# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns what pip and uv print into true progress: bytes while downloading, packages while installing. Used by `build`.

pip prints `Progress 1024 of 4096` with `--progress-bar raw` (24.1 and newer); uv prints a line when a large package
starts and when it is there. Sizes of packages that are not fetched (cached, from disk) come from the pinned table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from .requirements import canonical

UNITS = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
PROGRESS = re.compile(r"^Progress (\d+) of (\d+)")
DOWNLOADING = re.compile(r"^\s*Downloading (?P<what>\S+)(?: \((?P<size>[\d.]+) ?(?P<unit>[kKMG]?i?B)\))?")
THERE = re.compile(r"^\s*(?:Using cached|Processing|Downloaded|Requirement already satisfied:) (?P<what>[^\s=<>!;(]+)")
COLLECTING = re.compile(r"^\s*Collecting (?P<what>[^\s=<>!;(]+)")
INSTALLING = re.compile(r"^\s*(?:Installing collected packages: (?P<names>.+)|Prepared (?P<count>\d+) packages? in)")
RETRYING = re.compile(r"^WARNING: (?:Retrying|Connection (?:interrupted|timed out)|Attempting to resume)")


@dataclass(frozen=True)
class Reading:
    """How far the command is.

    Attributes:
        stage: downloading or installing.
        done, total: bytes while downloading; while installing, `total` packages.
        message: what is being worked on.
    """

    stage: str
    done: int
    total: int
    message: str


class OutputReader:
    """Reads one command's output line by line.

    Args:
        expected: bytes of each package that will be wanted, from the pinned table.
        at_least: bytes of all, where a build brings further packages that are not in the table.
        parallel: whether several are fetched at once and each is told when it is there (uv), not one after the other.
    """

    def __init__(self, expected: Mapping[str, int], *, at_least: int = 0, parallel: bool = False) -> None:
        self._parallel = parallel
        self._sizes = {canonical(name): size for name, size in expected.items()}
        self._done: dict[str, int] = {}
        self._at_least = at_least
        self._current = ""
        self._installing = 0
        self._message = "Looking for the packages"

    def feed(self, line: str) -> Reading | None:
        """What this line says; None if it says nothing of progress."""
        if match := PROGRESS.match(line):
            self._sizes[self._current] = int(match[2])
            self._done[self._current] = int(match[1])
        elif match := DOWNLOADING.match(line):
            if match["what"].endswith(".metadata"):
                return None
            self._finish_current()
            self._current = package_of(match["what"])
            if match["size"]:
                self._sizes[self._current] = int(float(match["size"]) * UNITS[match["unit"]])
            self._done.setdefault(self._current, 0)
            self._message = f"Downloading {self._current}"
        elif match := THERE.match(line):
            if match["what"].endswith(".metadata"):
                return None
            name = package_of(match["what"])
            self._done[name] = self._sizes.get(name, 0)
            self._message = f"{name} is there"
        elif match := COLLECTING.match(line):
            self._finish_current()
            self._message = f"Looking for {canonical(match['what'])}"
        elif match := INSTALLING.match(line):
            self._finish_current()
            self._installing = len(match["names"].split(",")) if match["names"] else int(match["count"])
            self._message = "Unpacking the packages" if self._installing > 1 else "Unpacking torch"
        elif RETRYING.match(line):
            self._message = "The connection was interrupted: trying again"
        else:
            return None
        return self.reading()

    def reading(self) -> Reading:
        if self._installing:
            return Reading("installing", 0, self._installing, self._message)
        done = sum(self._done.values())
        total = max(self._at_least, sum(self._sizes.values()))
        return Reading("downloading", done, total, self._message)

    def _finish_current(self) -> None:
        if self._current in self._done and not self._parallel:  # pip tells it only by going on to the next
            self._done[self._current] = self._sizes.get(self._current, 0)


def package_of(what: str) -> str:
    """The package of a wheel's file name, path or address, or of a plain name."""
    name = unquote(what).replace("\\", "/").rstrip("/").rsplit("/", 1)[-1].partition("#")[0]
    return canonical(name.split("-")[0] if name.endswith((".whl", ".tar.gz", ".zip")) else name)
