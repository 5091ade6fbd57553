# SPDX-License-Identifier: GPL-3.0-or-later
"""What self-calibration finds. Kept in the record of a depth map; read by the scene, the operators and the command."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

FocalOrigin = Literal["given", "right angles", "default"]
Vector = tuple[float, float, float]

EYE_HEIGHT_M = 1.6  # of someone who stands on the scene's floor
LEAST_NEAR = 1e-3  # of the range: nothing that is seen lies in the camera
TYPICAL_DISTANCE_M = 2.0  # geometric middle of near and far where nothing gives the scene a size


@dataclass(frozen=True)
class FoundPlane:
    """A plane of the scene: the points p with normal · p = offset.

    Attributes:
        normal: unit length, in camera space (X right, Y up, looking along -Z), towards the camera.
        offset: negative; in the unit in which metric depth is depth + shift_over_scale.
        area: share of the picture's valid pixels that lie on it.
    """

    normal: Vector
    offset: float
    area: float

    def to_json(self) -> dict[str, Any]:
        return {"normal": list(self.normal), "offset": self.offset, "area": self.area}

    def with_focal(self, factor: float) -> FoundPlane:
        """The same plane of the depth map when the focal length is `factor` times what it was found with."""
        x, y, z = self.normal[0] * factor, self.normal[1] * factor, self.normal[2]
        length = math.sqrt(x * x + y * y + z * z)
        return FoundPlane((x / length, y / length, z / length), self.offset / length, self.area)


@dataclass(frozen=True)
class SelfCalibration:
    """Shift, focal length and floor of an affine-invariant depth map, and how far they can be trusted.

    Attributes:
        shift_over_scale: r: metric depth is proportional to depth + r; near / (far - near) of depth in 0 .. 1.
        expected_error: of r, as a share of it; at most 1.
        confidence: of r, 0 .. 1: a half where it is just sure.
        sure: whether the planes of the picture determine r.
        focal_px: focal length in pixels of the depth map.
        focal_origin: `given`, from `right angles` between planes, or the `default` field of view.
        focal_confidence: 0 .. 1; 1 where it was given.
        floor: what the scene stands on, or None where no plane can be it.
        planes: what was found, the largest first; the floor among them.
    """

    shift_over_scale: float
    expected_error: float
    confidence: float
    sure: bool
    focal_px: float
    focal_origin: FocalOrigin
    focal_confidence: float
    floor: FoundPlane | None
    planes: tuple[FoundPlane, ...]

    def near_and_far(self) -> tuple[float, float]:
        """Metric depth of 0 and of 1, in metres: from eye height where there is a floor, else of a usual size."""
        near = max(self.shift_over_scale, LEAST_NEAR)
        far = near + 1.0
        scale = EYE_HEIGHT_M / -self.floor.offset if self.floor else TYPICAL_DISTANCE_M / math.sqrt(near * far)
        return near * scale, far * scale

    def to_json(self) -> dict[str, Any]:
        values = {key: value for key, value in vars(self).items() if key not in {"floor", "planes"}}
        floor = self.floor.to_json() if self.floor else None
        return {**values, "floor_plane": floor, "planes": [plane.to_json() for plane in self.planes]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> SelfCalibration:
        values = dict(data)
        floor, planes = values.pop("floor_plane"), values.pop("planes")
        return cls(**values, floor=_plane(floor) if floor else None, planes=tuple(_plane(plane) for plane in planes))


def _plane(data: dict[str, Any]) -> FoundPlane:
    x, y, z = data["normal"]
    return FoundPlane((x, y, z), data["offset"], data["area"])
