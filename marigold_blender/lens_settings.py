# SPDX-License-Identifier: GPL-3.0-or-later
"""What a depth of field is asked to be. Standard library only: used in Blender, by the command line and the worker."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from .errors import MarigoldError

LARGEST_BLUR = 0.1  # radius as a share of the width: what is nearer than any lens could show is not blurred further


@dataclass(frozen=True)
class LensSettings:
    """Focus and lens, in one of two ways, told apart by `focus_m`.

    By the depth's own scale: `focus` and `blur_percent`. In metres: `focus_m` and `f_stop`; depth that is not metric by
    itself then needs `near` and `far`.

    Attributes:
        focus: what is sharp, 0 (nearest) .. 1 (farthest).
        blur_percent: diameter of the farthest point's blur circle while the nearest is sharp, in percent of the width.
        focus_m: distance that is sharp, in metres; 0 = `focus` counts.
        f_stop: the aperture's f-number.
        focal_px: focal length in pixels; 0 = as the picture's metadata say, else assumed.
        sensor_mm: width of the sensor.
        near, far: metric distance of depth 0 and 1; 0 = not known.
        blades: corners of the aperture; 0 = round.
        rotation_deg: of the aperture, counter-clockwise.
        max_blur_px: largest radius; 0 = a tenth of the width.
    """

    focus: float = 0.0
    blur_percent: float = 2.0
    focus_m: float = 0.0
    f_stop: float = 2.8
    focal_px: float = 0.0
    sensor_mm: float = 36.0
    near: float = 0.0
    far: float = 0.0
    blades: int = 0
    rotation_deg: float = 0.0
    max_blur_px: float = 0.0

    def check(self) -> None:
        """Refuse what no lens can be.

        Raises:
            MarigoldError: `bad_input`, one sentence.
        """
        if not all(math.isfinite(value) for value in asdict(self).values()):
            raise MarigoldError("bad_input", "Focus and lens must be plain numbers.")
        if self.focus_m < 0.0:
            raise MarigoldError("bad_input", f"A focus {self.focus_m:g} m behind the camera is not possible.")
        if not 0.0 <= self.focus <= 1.0:
            raise MarigoldError(
                "bad_input", f"The focus {self.focus:g} is outside of the depth: use 0 (nearest) to 1 (farthest)."
            )
        for name, value in (("f-stop", self.f_stop), ("sensor's width", self.sensor_mm)):
            if value <= 0.0:
                raise MarigoldError("bad_input", f"The {name} is {value:g}: it must be greater than 0.")
        for name, value in (
            ("blur", self.blur_percent),
            ("focal length", self.focal_px),
            ("largest blur", self.max_blur_px),
        ):
            if value < 0.0:
                raise MarigoldError("bad_input", f"The {name} is {value:g}: it cannot be negative.")
        if self.blades in (1, 2) or not 0 <= self.blades <= 16:
            raise MarigoldError("bad_input", f"No aperture has {self.blades} blades: use 3 to 16, or 0 for a disc.")
        if (self.near or self.far) and not 0.0 < self.near < self.far:
            raise MarigoldError(
                "bad_input", f"Near is {self.near:g} and far is {self.far:g}: near must be above 0, and far beyond it."
            )

    def largest_blur_px(self, width: int) -> float:
        """The limit of the blur radius on a frame `width` pixels wide."""
        limit = LARGEST_BLUR * width
        return min(self.max_blur_px, limit) if self.max_blur_px else limit

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> LensSettings:
        return cls(**data)
