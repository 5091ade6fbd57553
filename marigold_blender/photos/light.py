# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture as linear light with its alpha, read and written without loss of bits: for what computes with light.

Called by the depth of field, where a highlight must weigh what it weighed before the lens.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813 - its own manual's name for it

from ..depth_files.exr import why_not_written
from ..depth_files.replacing import replacing
from ..errors import MarigoldError
from ..picture_size import check_size
from ..record import SourceCamera
from .float_file import read_float_pixels
from .read import is_scene_linear, read_photo
from .srgb import decode_srgb, encode_srgb

FORMATS = (".exr", ".png", ".tif", ".tiff", ".jpg", ".jpeg", ".webp")
OPAQUE_FORMATS = (".jpg", ".jpeg")
JPEG_QUALITY = 95


@dataclass(frozen=True)
class Light:
    """A picture in linear light.

    Attributes:
        pixels: [H, W, 3] float32, or [H, W, 4] with colours multiplied with alpha; finite, Rec.709 primaries.
        scene_linear: whether its file holds light; otherwise display values (sRGB), which are written again as such.
        deep: whether its file has more than 8 bits a channel.
        camera: from the file's metadata.
    """

    pixels: np.ndarray
    scene_linear: bool
    deep: bool
    camera: SourceCamera = field(default_factory=SourceCamera)


def read_light(path: Path) -> Light:
    """Read any photo, or the `.npy` that `scene.sources` writes of an image data-block.

    Raises:
        MarigoldError: there is no such file, or it is no usable picture (`bad_input`).
    """
    path = Path(path)
    if path.suffix == ".npy":
        return _from_blender(path)
    if is_scene_linear(path):
        stored = read_float_pixels(path)
        return Light(_with_alpha(_finite(stored.colour), stored.alpha), scene_linear=True, deep=True)
    photo = read_photo(path)
    colour = decode_srgb(photo.pixels)
    if photo.alpha is not None:
        colour *= photo.alpha[..., None]
    return Light(
        _with_alpha(colour, photo.alpha), scene_linear=False, deep=photo.pixels.dtype != np.uint8, camera=photo.camera
    )


def _from_blender(path: Path) -> Light:
    """[H, W, 4] with straight alpha: uint8 are display values, float32 are light."""
    try:
        stored = np.load(path)
    except (OSError, ValueError) as error:
        raise MarigoldError("bad_input", f"{path} cannot be read as pixels.", details=str(error)) from error
    check_size(path.name, stored.shape[1], stored.shape[0])
    deep = stored.dtype != np.uint8
    colour = _finite(stored[..., :3].copy()) if deep else decode_srgb(stored[..., :3])
    alpha = stored[..., 3].astype(np.float32) if deep else stored[..., 3].astype(np.float32) / np.float32(255.0)
    alpha = None if (alpha >= 1.0).all() else alpha
    if alpha is not None:
        colour *= alpha[..., None]
    return Light(_with_alpha(colour, alpha), scene_linear=deep, deep=deep)


def _with_alpha(colour: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    if alpha is None:
        return colour
    return np.concatenate([colour, np.nan_to_num(alpha).clip(0.0, 1.0)[..., None]], axis=-1, dtype=np.float32)


def _finite(colour: np.ndarray) -> np.ndarray:
    """Black for what is not a number, and the brightest other light for infinities: one pixel spoils no more."""
    good = np.isfinite(colour)
    if not good.all():
        brightest = float(colour[good].max(initial=0.0))
        colour = np.nan_to_num(colour, nan=0.0, posinf=brightest, neginf=0.0)
    return colour


def check_format(path: Path, alpha: bool = False) -> None:
    """Refuse a file name that `write_light` cannot write, before anything is computed.

    Raises:
        MarigoldError: `bad_input`.
    """
    if path.suffix.lower() not in FORMATS:
        raise MarigoldError(
            "bad_input", f"“{path.name}” is not a picture's name: end it with .exr, .png, .tif or .jpg."
        )
    if alpha and path.suffix.lower() in OPAQUE_FORMATS:
        raise MarigoldError(
            "bad_input", f"The picture is transparent in part, which {path.suffix} cannot keep: write a .png or .exr."
        )


def write_light(light: Light, path: Path) -> None:
    """Write a picture, as the suffix says: EXR as 32-bit light, others as sRGB display values.

    PNG and TIFF have 16 bits where `light.deep`, else 8. Appears whole or not at all.

    Raises:
        MarigoldError: the format is unknown (`bad_input`), or it cannot be written (`cannot_write`).
    """
    check_format(path, alpha=light.pixels.shape[2] == 4)
    height, width, channels = light.pixels.shape
    suffix = path.suffix.lower()
    if suffix == ".exr":
        kind, pixels = "float", light.pixels
    else:
        kind = "uint16" if light.deep and suffix in (".png", ".tif", ".tiff") else "uint8"
        pixels = _display_values(light.pixels, 65535 if kind == "uint16" else 255)
    spec = oiio.ImageSpec(width, height, channels, kind)
    spec["oiio:ColorSpace"] = "lin_rec709" if kind == "float" else "sRGB"
    if kind != "float":
        spec["oiio:UnassociatedAlpha"] = 1
    spec["compression"] = {".exr": "zip", ".jpg": f"jpeg:{JPEG_QUALITY}", ".jpeg": f"jpeg:{JPEG_QUALITY}"}.get(
        suffix, "zip"
    )
    with replacing(path.parent) as files:
        _write(files.new(path), spec, np.ascontiguousarray(pixels))


def _display_values(pixels: np.ndarray, white: int) -> np.ndarray:
    """Encoded whole numbers, alpha taken out of the colours."""
    colour = pixels[..., :3]
    if pixels.shape[2] == 4:
        alpha = pixels[..., 3:]
        colour = np.where(alpha > 0.0, colour / np.maximum(alpha, 1e-8), 0.0)
        colour = np.concatenate([encode_srgb(colour), alpha.clip(0.0, 1.0)], axis=-1)
    else:
        colour = encode_srgb(colour)
    return (colour * white + 0.5).astype(np.uint16 if white > 255 else np.uint8)


def _write(path: Path, spec: oiio.ImageSpec, pixels: np.ndarray) -> None:
    file = oiio.ImageOutput.create(str(path))
    if file is None:
        raise OSError(errno.EINVAL, oiio.geterror(), str(path))
    try:
        written = file.open(str(path), spec) and file.write_image(pixels)
    finally:
        closed = file.close()
    if not (written and closed):
        raise why_not_written(path, file.geterror())
