# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns what was asked for (`LensSettings`) and a depth map into blur radii. Called by the worker's job."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import MarigoldError
from ..geometry.camera import Camera
from ..geometry.thin_lens import ASSUMED_FAR, ASSUMED_NEAR, ThinLens
from ..geometry.unprojection import metric_depth
from ..lens_settings import LensSettings
from ..record import SourceCamera
from .scene_depth import SceneDepth


@dataclass(frozen=True)
class FocusedPicture:
    """The blur radii of a picture, and the lens that they come from.

    Attributes:
        radius: [H, W] float32, signed, in pixels, within the largest blur.
        distance: [H, W] planar distances, in metres or in the depth's assumed units.
        lens: in the units of the distances; focal_px: of its camera.
        focal_origin: where focal_px comes from: `given`, `exif_35mm`, `exif_sensor`, `sensor_table` or `assumed`.
    """

    radius: np.ndarray
    distance: np.ndarray
    lens: ThinLens
    focal_px: float
    focal_origin: str


def focus_picture(
    settings: LensSettings, depth: SceneDepth, camera: SourceCamera, *, within: bool = True
) -> FocusedPicture:
    """The blur radii that a lens gives.

    Args:
        settings: checked.
        camera: what the picture's metadata say.
        within: refuse a focus beyond what is seen. In a clip, what is focused on may leave the picture.

    Raises:
        MarigoldError: what is asked for does not fit the depth (`bad_input`).
    """
    height, width = depth.values.shape
    if depth.record is not None and depth.record.camera.focal_px:
        camera = depth.record.camera
    focal_px, origin = settings.focal_px, "given"
    if not focal_px:
        focal_px, origin = camera.focal_px or Camera.from_fov(width, height).focal_px, camera.origin
        origin = origin if camera.focal_px else "assumed"
    distances, lens = _focused(settings, depth, focal_px, width, within)
    largest = np.float32(settings.largest_blur_px(width))
    return FocusedPicture(lens.radius_px(distances).clip(-largest, largest), distances, lens, focal_px, origin)


def _focused(
    settings: LensSettings, depth: SceneDepth, focal_px: float, width: int, within: bool
) -> tuple[np.ndarray, ThinLens]:
    near, far = settings.near, settings.far
    if not settings.focus_m:
        if depth.metric:
            raise MarigoldError("bad_input", "This depth is in metres: say where to focus in metres (focus_m).")
        near, far = near or ASSUMED_NEAR, far or ASSUMED_FAR
        return metric_depth(depth.values, near, far), ThinLens.from_blur(
            settings.focus, settings.blur_percent, width, near, far
        )
    if depth.metric:
        distances = depth.values
        there = distances[np.isfinite(distances)]
        near, far = float(there.min()), float(there.max())
    elif near and far:
        distances = metric_depth(depth.values, near, far)
    else:
        raise MarigoldError(
            "bad_input", "A focus in metres needs the scene's scale: give near and far too, or a focus from 0 to 1."
        )
    if within and not near * (1 - 1e-6) <= settings.focus_m <= far * (1 + 1e-6):
        raise MarigoldError(
            "bad_input",
            f"The focus at {settings.focus_m:g} m is outside of the scene, which reaches from {near:g} to {far:g} m.",
        )
    return distances, ThinLens.from_f_stop(settings.focus_m, settings.f_stop, focal_px, width, settings.sensor_mm)
