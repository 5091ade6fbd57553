# SPDX-License-Identifier: GPL-3.0-or-later
"""The depth image: the data-block that owns a depth map in Blender, with its record, its range and its camera.

`load_depth` makes it from a job's files; meshes point to it, and follow when its properties are changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
import numpy as np

from ..errors import MarigoldError
from ..record import DepthRecord
from .images import array_from_image, load_image
from .sources import RENDER_FILE
from .thumbnails import show_picture, show_values

if TYPE_CHECKING:  # the properties import the live grid, which reads depth images
    from .properties import DepthProperties


@dataclass(frozen=True)
class DepthPixels:
    """What a depth image holds: depth [H, W] float32, 0 near .. 1 far; valid [H, W] bool, or None when all are."""

    depth: np.ndarray
    valid: np.ndarray | None


def load_depth(files: dict[str, str | Path]) -> bpy.types.Image:
    """The depth image of a finished job, packed, with its photo and its mask; named after the photo.

    It has a fake user until something is built from it, or saving the file would drop it.

    Args:
        files: paths under the keys `depth` (NAME_depth.exr), `record` (NAME.json), `photo` (a file that shows
            exactly the photo when Blender loads it); where some pixels are invalid, `mask` (white = valid); for an
            ensemble `uncertainty`; and `preview`, which becomes the depth image's thumbnail.

    Raises:
        MarigoldError: a file is missing or damaged (`bad_input`); nothing is left behind then.
    """
    loaded: list[bpy.types.Image] = []

    def load(key: str, name: str, colourspace: str) -> bpy.types.Image:
        image = load_image(files[key], name, colourspace=colourspace)
        loaded.append(image)
        return image

    try:
        record = DepthRecord.loads(Path(files["record"]).read_text(encoding="utf-8"))
        image = load("depth", f"{record.name} depth", "Non-Color")
        properties: DepthProperties = image.marigold
        properties.photo = load("photo", record.name, "sRGB")
        if files.get("mask"):
            properties.mask = load("mask", f"{record.name} mask", "Non-Color")
        if files.get("uncertainty"):
            properties.uncertainty = load("uncertainty", f"{record.name} uncertainty", "Non-Color")
            show_values(properties.uncertainty)
        if files.get("preview"):
            show_picture(image, files["preview"])
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as problem:
        _remove(loaded)
        raise MarigoldError(
            "bad_input", "The depth files are incomplete or damaged: estimate the depth again.", details=repr(problem)
        ) from problem
    except MarigoldError:
        _remove(loaded)
        raise
    properties.fill_from(record)
    image.use_fake_user = True
    return image


def _remove(images: list[bpy.types.Image]) -> None:
    for image in images:
        bpy.data.images.remove(image)


def record_of(image: bpy.types.Image) -> DepthRecord:
    """The record of a depth image.

    Raises:
        MarigoldError: the image is not a depth image (`bad_input`).
    """
    if not image.marigold.record:
        raise MarigoldError("bad_input", f"“{image.name}” is not a depth image: estimate the depth of a photo first.")
    return DepthRecord.loads(image.marigold.record)


def photo_of(image: bpy.types.Image) -> bpy.types.Image:
    """The photo of a depth image.

    Raises:
        MarigoldError: it has been removed (`bad_input`).
    """
    photo = image.marigold.photo
    if photo is None:
        raise MarigoldError("bad_input", f"The photo of “{image.name}” has been removed: estimate the depth again.")
    return photo


def is_depth_image(image: bpy.types.Image) -> bool:
    return bool(image.marigold.record)


def named_depth(name: str) -> bpy.types.Image:
    """The depth image of that name.

    Raises:
        MarigoldError: there is none (`bad_input`).
    """
    image = bpy.data.images.get(name)
    if image is None or not is_depth_image(image):
        raise MarigoldError("bad_input", f"“{name}” is not a depth image: estimate depth first.")
    return image


def is_of_render(image: bpy.types.Image) -> bool:
    """Whether a depth image was estimated from the Render Result, which may have a true Z pass."""
    return Path(record_of(image).source).name == RENDER_FILE


def read_pixels(image: bpy.types.Image) -> DepthPixels:
    """Depth and validity of a depth image."""
    depth = np.ascontiguousarray(array_from_image(image)[..., 0])
    mask = image.marigold.mask
    if mask is None:
        return DepthPixels(depth, None)
    valid = array_from_image(mask)[..., 0] > 0.5
    if valid.shape != depth.shape:
        raise MarigoldError("bad_input", f"The mask “{mask.name}” is not as large as “{image.name}”.")
    return DepthPixels(depth, valid)
