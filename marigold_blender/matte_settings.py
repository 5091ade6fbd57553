# SPDX-License-Identifier: GPL-3.0-or-later
"""Mattes by distance, for grading: where the mask begins and ends. Standard library only, as `fog_settings`."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from .errors import MarigoldError


@dataclass(frozen=True)
class MatteSettings:
    """A near matte, a mask and a far matte, which together are 1 everywhere.

    Attributes:
        file: the EXR to write: red what is nearer than the mask, green the mask, blue what is farther; empty: none.
        near, far: distances at which the mask begins and ends.
        softness: distance over which it fades at either end.
    """

    file: str = ""
    near: float = 1.0
    far: float = 3.0
    softness: float = 0.1

    def check(self) -> None:
        """Refuse what no matte can be.

        Raises:
            MarigoldError: `bad_input`.
        """
        if not all(math.isfinite(number) for number in (self.near, self.far, self.softness)):
            raise MarigoldError("bad_input", "The mask must be plain numbers.")
        if self.file and not self.file.lower().endswith(".exr"):
            raise MarigoldError("bad_input", f"Mattes are numbers, not colours: end “{self.file}” with .exr.")
        if not 0.0 <= self.near < self.far or self.softness < 0.0:
            raise MarigoldError(
                "bad_input",
                f"The mask reaches from {self.near:g} to {self.far:g} and fades over {self.softness:g}: "
                "it must end beyond where it begins, and nothing can be negative.",
            )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> MatteSettings:
        return cls(**data)
