# SPDX-License-Identifier: GPL-3.0-or-later
"""Pixels to points in camera space and back. Camera space is Blender's: X right, Y up, looking along -Z.

Used by the scene to place vertices, and by tests and scripts that check where a point of the photo lies.
"""

from __future__ import annotations

import numpy as np

from .camera import Camera


def metric_depth(depth: np.ndarray, near: float, far: float) -> np.ndarray:
    """Planar distance from the camera of affine-invariant depth (0 near .. 1 far), in the units of near and far."""
    return near + depth * (far - near)


def unproject(camera: Camera, pixels: np.ndarray, metric: np.ndarray) -> np.ndarray:
    """The points seen at `pixels` (..., 2) at the planar distance `metric` (...): (..., 3) in camera space."""
    points = np.empty((*np.shape(metric), 3), np.result_type(pixels, metric))
    points[..., 0] = (pixels[..., 0] - camera.cx) / camera.focal_px * metric
    points[..., 1] = (camera.cy - pixels[..., 1]) / camera.focal_y_px * metric
    points[..., 2] = -metric
    return points


def project(camera: Camera, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where `points` (..., 3) of camera space are seen: pixels (..., 2) and their planar distance (...)."""
    metric = -points[..., 2]
    pixels = np.empty((*metric.shape, 2), points.dtype)
    pixels[..., 0] = camera.cx + points[..., 0] / metric * camera.focal_px
    pixels[..., 1] = camera.cy - points[..., 1] / metric * camera.focal_y_px
    return pixels, metric


def relief(camera: Camera, pixels: np.ndarray, metric: np.ndarray, far: float) -> np.ndarray:
    """The points of a relief: an upright plane at the distance `far`, displaced straight towards the viewer.

    The plane is as large as the frame that the camera sees there, so that a relief and a perspective mesh of the same
    depth have the same proportions in their background. Arguments and result as in `unproject`.
    """
    points = np.empty((*np.shape(metric), 3), np.result_type(pixels, metric))
    unit = relief_width(camera, far) / camera.width
    points[..., 0] = (pixels[..., 0] - camera.width / 2) * unit
    points[..., 1] = (camera.height / 2 - pixels[..., 1]) * unit / camera.pixel_aspect
    points[..., 2] = -metric
    return points


def relief_width(camera: Camera, far: float) -> float:
    """Width of the plane of a relief, and of what an orthographic camera must show to match the photo."""
    return camera.width / camera.focal_px * far
