# SPDX-License-Identifier: GPL-3.0-or-later
"""Fog in a picture whose depth is known. Standard library only: used in Blender, by the command line and the worker."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from .errors import MarigoldError


@dataclass(frozen=True)
class FogSettings:
    """Fog that swallows light by Beer and Lambert and gives its own.

    Attributes:
        density: share of the light that is swallowed per unit of distance; 0: no fog.
        start: distance at which it begins.
        height: height over which it thins to 1/e, from the camera up; 0: as thick everywhere.
        colour: linear light of the fog.
        up: the world's up in camera space (X right, Y up, Z towards the viewer); level by default.
    """

    density: float = 0.0
    start: float = 0.0
    height: float = 0.0
    colour: tuple[float, float, float] = (0.6, 0.7, 0.8)
    up: tuple[float, float, float] = (0.0, 1.0, 0.0)

    def check(self) -> None:
        """Refuse what no fog can be.

        Raises:
            MarigoldError: `bad_input`.
        """
        numbers = (self.density, self.start, self.height, *self.colour, *self.up)
        if not all(math.isfinite(number) for number in numbers):
            raise MarigoldError("bad_input", "The fog must be plain numbers.")
        if min(self.density, self.start, self.height, *self.colour) < 0.0:
            raise MarigoldError("bad_input", "Density, start, height and colour of the fog cannot be negative.")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> FogSettings:
        return cls(**{**data, "colour": tuple(data["colour"]), "up": tuple(data["up"])})
