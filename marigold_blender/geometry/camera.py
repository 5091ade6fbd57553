# SPDX-License-Identifier: GPL-3.0-or-later
"""The pinhole camera of a photo, in pixels, and its forms elsewhere: EXIF, field of view, Blender's lens and shift."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

FULL_FRAME_DIAGONAL_MM = math.hypot(36.0, 24.0)
BLENDER_SENSOR_MM = 36.0
BLENDER_SHORTEST_LENS_MM = 1.0  # Blender clamps shorter lenses
DEFAULT_FOV_DEG = 55.0  # along the longer edge: close to a 35 mm lens, the commonest of phones and kit zooms


@dataclass(frozen=True)
class BlenderCamera:
    """The same camera in Blender's terms, for `sensor_fit = 'HORIZONTAL'` and a render as large as the picture.

    Attributes:
        lens_mm: focal length; sensor_width_mm, sensor_height_mm: size of the picture on the sensor.
        shift_x, shift_y: how far the frame is moved right and up, both in sensor widths (Blender's own unit).
        pixel_aspect: width of a pixel over its height, as the render's *Aspect X* over *Aspect Y*.
    """

    lens_mm: float
    sensor_width_mm: float
    sensor_height_mm: float
    shift_x: float
    shift_y: float
    pixel_aspect: float = 1.0


def with_horizontal_fit(
    width: int, height: int, blender: BlenderCamera, sensor_fit: Literal["AUTO", "HORIZONTAL", "VERTICAL"]
) -> BlenderCamera:
    """The same view as a Blender camera with another sensor fit has, for a render of `width` x `height` pixels.

    Blender fits the sensor's width to the longer edge of the frame (AUTO), or its width or height to that of the frame,
    and counts the shift in the edge that is fitted (`BKE_camera_params_compute_viewplane`).
    """
    across, upright = width * blender.pixel_aspect, float(height)  # in pixel heights
    vertical = sensor_fit == "VERTICAL" or (sensor_fit == "AUTO" and upright > across)
    fitted_mm = blender.sensor_height_mm if sensor_fit == "VERTICAL" else blender.sensor_width_mm
    turn = upright / across if vertical else 1.0  # fitted edge over width
    return BlenderCamera(
        lens_mm=blender.lens_mm,
        sensor_width_mm=fitted_mm / turn,
        sensor_height_mm=fitted_mm / turn * upright / across,
        shift_x=blender.shift_x * turn,
        shift_y=blender.shift_y * turn,
        pixel_aspect=blender.pixel_aspect,
    )


@dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    Pixel coordinates are continuous: (0, 0) is the top left corner of the picture, (width, height) the bottom right,
    and the centre of the pixel in column x and row y is (x + 0.5, y + 0.5).

    Attributes:
        width, height: size of the picture in pixels.
        focal_px: focal length in pixel widths.
        cx, cy: principal point in pixels.
        pixel_aspect: width of a pixel over its height; 1 but for anamorphic film and old video.
    """

    width: int
    height: int
    focal_px: float
    cx: float
    cy: float
    pixel_aspect: float = 1.0

    @property
    def focal_y_px(self) -> float:
        """Focal length in pixel heights."""
        return self.focal_px * self.pixel_aspect

    @property
    def fov(self) -> float:
        """What the camera sees along the longer edge, in radians, of a centred picture."""
        return 2 * math.atan(max(self.width / self.focal_px, self.height / self.focal_y_px) / 2)

    @property
    def focal_35mm(self) -> float:
        """The focal length with the same view on 35 mm film, in mm: frame diagonals are compared (CIPA DCG-001)."""
        return self.focal_px * FULL_FRAME_DIAGONAL_MM / math.hypot(self.width, self.height / self.pixel_aspect)

    @classmethod
    def centred(cls, width: int, height: int, focal_px: float) -> Camera:
        """A camera whose principal point is the middle of the picture."""
        return cls(width, height, focal_px, width / 2, height / 2)

    @classmethod
    def from_fov(cls, width: int, height: int, fov_deg: float = DEFAULT_FOV_DEG) -> Camera:
        """A camera that sees `fov_deg` degrees along the longer edge."""
        return cls.centred(width, height, max(width, height) / 2 / math.tan(math.radians(fov_deg) / 2))

    @classmethod
    def from_focal_35mm(cls, width: int, height: int, focal_35mm: float) -> Camera:
        """A camera from its 35 mm equivalent focal length in mm, which compares frame diagonals (CIPA DCG-001)."""
        return cls.centred(width, height, focal_35mm * math.hypot(width, height) / FULL_FRAME_DIAGONAL_MM)

    @classmethod
    def from_blender(cls, width: int, height: int, blender: BlenderCamera) -> Camera:
        """The camera of a Blender camera with horizontal sensor fit that renders `width` x `height` pixels."""
        return cls(
            width,
            height,
            focal_px=blender.lens_mm / blender.sensor_width_mm * width,
            cx=width / 2 - blender.shift_x * width,
            cy=height / 2 + blender.shift_y * width * blender.pixel_aspect,
            pixel_aspect=blender.pixel_aspect,
        )

    def cropped(self, x: int, y: int, width: int, height: int) -> Camera:
        """The camera of the part of the picture of `width` x `height` pixels whose top left corner is (x, y)."""
        return replace(self, width=width, height=height, cx=self.cx - x, cy=self.cy - y)

    def to_blender(self) -> BlenderCamera:
        """Lens, sensor and shift that make a Blender camera see what this camera sees; `from_blender` undoes it."""
        # A wider sensor instead of a lens shorter than Blender allows: only their ratio counts.
        sensor_width = BLENDER_SENSOR_MM
        lens = sensor_width * self.focal_px / self.width
        if lens < BLENDER_SHORTEST_LENS_MM:
            lens, sensor_width = BLENDER_SHORTEST_LENS_MM, BLENDER_SHORTEST_LENS_MM * self.width / self.focal_px
        return BlenderCamera(
            lens_mm=lens,
            sensor_width_mm=sensor_width,
            sensor_height_mm=sensor_width * self.height / self.width / self.pixel_aspect,
            shift_x=(self.width / 2 - self.cx) / self.width,
            shift_y=(self.cy - self.height / 2) / self.width / self.pixel_aspect,
            pixel_aspect=self.pixel_aspect,
        )
