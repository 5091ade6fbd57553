# SPDX-License-Identifier: GPL-3.0-or-later
"""The camera of a photo from its EXIF metadata. Called by `display_referred`."""

from __future__ import annotations

import math
from typing import Any

from PIL import Image
from PIL.ExifTags import IFD, Base

from ..geometry.camera import Camera
from ..record import SourceCamera
from .sensor_table import crop_factor

MM_PER_UNIT = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}  # FocalPlaneResolutionUnit: inch, cm, mm, micrometre
# A focal length outside of these multiples of the frame's diagonal belongs to no lens: a 5 mm fisheye has 0.12,
# a telescope of 4 m has 92.
PLAUSIBLE_DIAGONALS = (0.05, 200.0)
SAME_SHAPE = 0.02  # how far the aspect ratios of a photo and of its original may differ when it was only scaled


def camera_from_exif(exif: Image.Exif, width: int, height: int) -> SourceCamera:
    """Focal length in pixels of a photo of `width` by `height` pixels (either way up), and the camera's name.

    The 35 mm equivalent compares frame diagonals (CIPA DCG-001); where it is missing, the real focal length and the
    sensor's pixel density (Exif 2.32, focal plane resolution) determine it, or else the sensor's size, which a table
    has for many models. Values that no camera writes are ignored.
    """
    tags = _tags(exif)
    focal_35mm = _positive(tags.get(Base.FocalLengthIn35mmFilm))
    make = _text(tags.get(Base.Make))
    description = _description(tags, make, focal_35mm)
    if focal_35mm is not None:
        focal_px = Camera.from_focal_35mm(width, height, focal_35mm * _missing_zoom(tags, make)).focal_px
        if _is_plausible(focal_px, width, height):
            return SourceCamera(focal_px, "exif_35mm", description)
    from_sensor = _focal_from_sensor(tags, width, height)
    if from_sensor is not None and _is_plausible(from_sensor, width, height):
        return SourceCamera(from_sensor, "exif_sensor", description)
    from_table = _focal_from_table(tags, make, width, height)
    if from_table is not None and _is_plausible(from_table, width, height):
        return SourceCamera(from_table, "sensor_table", description)
    return SourceCamera(description=description)


def _tags(exif: Image.Exif) -> dict[int, Any]:
    """The main directory and the EXIF directory in one; a damaged one counts as empty."""
    try:
        return {**dict(exif), **exif.get_ifd(IFD.Exif)}
    except (ValueError, TypeError, KeyError, IndexError, SyntaxError, OSError, AttributeError):
        return {}


def _missing_zoom(tags: dict[int, Any], make: str) -> float:
    """The digital zoom that the 35 mm equivalent leaves out: all of it, but for Apple, whose equivalent includes it."""
    zoom = _positive(tags.get(Base.DigitalZoomRatio))
    if zoom is None or zoom < 1.0 or make.lower() == "apple":
        return 1.0
    return zoom


def _focal_from_sensor(tags: dict[int, Any], width: int, height: int) -> float | None:
    """Focal length in mm times the pixels per mm of the focal plane, scaled as the photo was since."""
    focal_mm = _positive(tags.get(Base.FocalLength))
    density = _positive(tags.get(Base.FocalPlaneXResolution))
    unit_mm = MM_PER_UNIT.get(_integer(tags.get(Base.FocalPlaneResolutionUnit, 2)) or 0)
    if focal_mm is None or density is None or unit_mm is None:
        return None
    focal_px = focal_mm * density / unit_mm
    first_width, first_height = _positive(tags.get(Base.ExifImageWidth)), _positive(tags.get(Base.ExifImageHeight))
    if first_width is None or first_height is None:
        return focal_px
    # Long edges and short edges are compared, because the photo may have been turned since.
    scale = max(width, height) / max(first_width, first_height)
    if abs(min(width, height) / min(first_width, first_height) / scale - 1.0) > SAME_SHAPE:
        return None  # cropped: nobody knows from where, or whether it was scaled as well
    return focal_px * scale


def _focal_from_table(tags: dict[int, Any], make: str, width: int, height: int) -> float | None:
    """Focal length in mm times the model's crop factor is its 35 mm equivalent."""
    focal_mm = _positive(tags.get(Base.FocalLength))
    crop = crop_factor(make, _text(tags.get(Base.Model))) if focal_mm is not None else None
    if focal_mm is None or crop is None:
        return None
    return Camera.from_focal_35mm(width, height, focal_mm * crop * _missing_zoom(tags, make)).focal_px


def _is_plausible(focal_px: float, width: int, height: int) -> bool:
    diagonals = focal_px / math.hypot(width, height)
    return PLAUSIBLE_DIAGONALS[0] <= diagonals <= PLAUSIBLE_DIAGONALS[1]


def _positive(value: Any) -> float | None:
    """The value as a positive finite number, or None."""
    if isinstance(value, (tuple, list)):
        value = value[0] if value else None
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if math.isfinite(number) and number > 0.0 else None


def _integer(value: Any) -> int | None:
    number = _positive(value)
    return None if number is None else int(number)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    return "".join(character for character in value.split("\0")[0] if character.isprintable()).strip()[:100]


def _description(tags: dict[int, Any], make: str, focal_35mm: float | None) -> str:
    """Camera and lens for people, such as “Canon EOS R5, RF 24-70mm, 35 mm”."""
    model = _text(tags.get(Base.Model))
    camera = model if model.lower().startswith(make.lower()) else f"{make} {model}".strip()
    focal_mm = _positive(tags.get(Base.FocalLength))
    parts = [camera, _text(tags.get(Base.LensModel)), "" if focal_mm is None else f"{focal_mm:.4g} mm"]
    if focal_35mm is not None:
        parts.append(f"{focal_35mm:.4g} mm in 35 mm film")
    return ", ".join(part for part in parts if part)
