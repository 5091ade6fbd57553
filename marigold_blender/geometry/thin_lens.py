# SPDX-License-Identifier: GPL-3.0-or-later
"""The thin lens: how large the blur circle of a point at some distance is. The formula of every depth of field here.

A lens of focal length f and f-number N, focused on the planar distance d, images a point at the distance z as a disc
whose radius on the frame is, in pixels of a frame of W pixels on a sensor of the width w,

    r = f² / (2 N) · |z − d| / (z · d) · W / w

(Cycles' camera, intern/cycles/kernel/camera: the field of view stays fixed while the focus moves. A real lens is
moved away from its sensor, and Blender's Defocus node counts d − f for d, which is the same but for close-ups.)
The radius counts as negative in front of the focus: it then grows with the distance all the way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .calibration import ASSUMED_RANGE

SENSOR_MM = 36.0
ASSUMED_NEAR, ASSUMED_FAR = ASSUMED_RANGE


@dataclass(frozen=True)
class ThinLens:
    """A focused lens before a frame.

    Attributes:
        focus: planar distance that is in focus.
        strength: f² / (2 N) · W / w: the radius in pixels is this times the difference of the inverse distances.
    """

    focus: float
    strength: float

    @classmethod
    def from_f_stop(cls, focus_m: float, f_stop: float, focal_px: float, width: int, sensor_mm: float) -> ThinLens:
        """The lens of a camera: metres (Blender's units count as metres, as in Cycles) and an f-stop.

        Args:
            focal_px: focal length in pixels of a frame `width` pixels wide.
            sensor_mm: width of the sensor: the larger, the shallower the focus at the same field of view.
        """
        focal_m = focal_px / width * sensor_mm / 1000.0
        return cls(focus_m, focal_m / (2.0 * f_stop) * focal_px)

    @classmethod
    def from_blur(cls, focus: float, blur_percent: float, width: int, near: float, far: float) -> ThinLens:
        """A lens for depth without a known scale.

        Args:
            focus: 0 (nearest) .. 1 (farthest), as depth counts.
            blur_percent: diameter of the farthest point's blur circle while the nearest is in focus, in percent of the
                frame's width: like an f-stop, it stays as it is when the focus moves.
            near, far: distances of depth 0 and 1, assumed or known; only their ratio counts.
        """
        strength = blur_percent / 100.0 * width / 2.0 / (1.0 / near - 1.0 / far)
        return cls(near + focus * (far - near), strength)

    def radius_px(self, distance: np.ndarray) -> np.ndarray:
        """Signed radius of the blur circle, in pixels, of points at planar distances (inf: the sky); float32."""
        with np.errstate(divide="ignore"):  # nothing is at 0: the largest blur, which is then clipped
            inverse = 1.0 / np.asarray(distance, np.float32)
        inverse *= np.float32(-self.strength)
        inverse += np.float32(self.strength / self.focus)
        return inverse
