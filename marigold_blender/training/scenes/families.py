# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene families by name. Adding one is a file with `build(stage) -> Propose` and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import closeups, corridors, rooms, shelves, streets, tabletops, terrain
from .stage import Stage
from .viewpoints import Propose


@dataclass(frozen=True)
class Family:
    """How scenes of one sort are made.

    Attributes:
        build: fills a stage and returns a proposer of views.
        number: fixed for ever; part of every scene's seed, so that adding families changes no other scene.
        nearest_m: views with anything nearer than this are rejected.
    """

    build: Callable[[Stage], Propose]
    number: int
    nearest_m: float


FAMILIES = {
    "rooms": Family(rooms.build, 1, 0.35),
    "streets": Family(streets.build, 2, 2.5),
    "terrain": Family(terrain.build, 3, 0.3),
    "tabletops": Family(tabletops.build, 4, 0.05),
    "corridors": Family(corridors.build, 5, 0.4),
    "shelves": Family(shelves.build, 6, 0.25),
    "closeups": Family(closeups.build, 7, 0.05),
}
