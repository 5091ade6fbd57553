# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos made for a display: JPEG, PNG, TIFF, WebP, HEIC, AVIF, GIF, BMP and others. Called by `read`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms
from PIL.ExifTags import Base

from ..errors import MarigoldError
from ..picture_size import check_size
from .colour_profile import float_to_srgb, profile_to_srgb
from .decoding_errors import DECODING_ERRORS, damaged, not_a_photo
from .exif_camera import camera_from_exif
from .float_file import bits_of_tiff, read_float_pixels
from .orientation import read_orientation, upright
from .photo import Photo
from .scene_linear import photo_from_light

# Pillow's other formats are rarely photos, and some of them run programs (EPS). MPO opens as JPEG.
FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "AVIF", "GIF", "BMP", "JPEG2000", "PPM")
# What Blender opens by itself, and the kinds of pixels whose colours it does not reinterpret.
BLENDER_FORMATS = ("JPEG", "MPO", "PNG", "TIFF", "WEBP", "BMP")
BLENDER_MODES = ("RGB", "RGBA", "L")
OPAQUE = 128  # alpha from which a pixel counts as seen


def read_display_referred(path: Path, container: str) -> Photo:
    """Read a photo whose numbers are display values.

    Args:
        container: `tiff`, `heif`, `avif`, or `display` for every other format.

    Raises:
        MarigoldError: not a photo, damaged, too large, too small or wholly transparent (`bad_input`).
    """
    with _quiet_pillow():
        tiff_bits = bits_of_tiff(path) if container == "tiff" else None
        if tiff_bits not in (None, "uint8"):
            return _read_deep(path, *_tiff_metadata(path))
        with _open(path, container) as image:
            check_size(path.name, image.width, image.height)
            if _is_deep_png(path) or (image.format == "PPM" and image.mode in ("I", "F")):
                return _read_deep(path, image.getexif(), image.info.get("icc_profile"))
            try:
                return _read_8_bit(path, image)
            except MemoryError:
                raise
            except DECODING_ERRORS as error:
                raise damaged(path, error) from error


@contextmanager
def _quiet_pillow() -> Iterator[None]:
    """No warnings of Pillow's, and `check_size` in the place of its limit, which is lower."""
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _open(path: Path, container: str) -> Image.Image:
    """The file's header; its pixels are decoded when they are asked for."""
    try:
        if container == "heif":
            return _open_heif(path)
        return Image.open(path, formats=FORMATS)
    except DECODING_ERRORS as error:
        raise not_a_photo(path, error) from error


def _open_heif(path: Path) -> Image.Image:
    try:
        import pillow_heif
    except ImportError as error:
        raise MarigoldError(
            "bad_input",
            f"{path.name} is a HEIC photo, which needs the library pillow-heif: install it, or save as JPEG.",
        ) from error
    return pillow_heif.HeifImageFile(path)


def _read_8_bit(path: Path, image: Image.Image) -> Photo:
    stored_mode, stored_orientation = image.mode, read_orientation(image.getexif().get(Base.Orientation))
    still = getattr(image, "n_frames", 1) == 1 or image.format == "MPO"
    camera = camera_from_exif(image.getexif(), image.width, image.height)
    image.load()
    # Asked again, because Pillow turns TIFFs by itself when it loads them.
    orientation = read_orientation(image.getexif().get(Base.Orientation))
    colour, alpha = _split_alpha(image)
    way = profile_to_srgb(image.info.get("icc_profile"), colour.mode)
    pixels = np.asarray(way.apply(colour) if way else _to_rgb(colour))
    shows_as_is = (
        image.format in BLENDER_FORMATS
        and stored_mode in BLENDER_MODES
        and stored_orientation == 1
        and way is None
        and still
    )
    alpha = None if alpha is None else upright(alpha, orientation)
    return Photo(
        pixels=upright(pixels, orientation),
        valid=_valid(path, None if alpha is None else alpha >= OPAQUE),
        path=path,
        camera=camera,
        shows_as_is=shows_as_is,
        alpha=_partly_transparent(alpha, 255.0),
    )


def _split_alpha(image: Image.Image) -> tuple[Image.Image, np.ndarray | None]:
    """Colour (RGB, L, CMYK …) as stored under the transparency, and alpha [H, W] uint8 or None."""
    if image.has_transparency_data:
        whole = image.convert("RGBA")
        colour = image.getchannel("L") if image.mode == "LA" else whole.convert("RGB")
        return colour, np.asarray(whole.getchannel("A"))
    if image.mode in ("P", "PA", "RGBX"):
        return image.convert("RGB"), None
    if image.mode == "1":
        return image.convert("L"), None
    if image.mode.startswith("I"):  # JPEG 2000 with 16 bits of grey
        return Image.fromarray((np.asarray(image, np.uint32) >> 8).astype(np.uint8)), None
    return image, None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        assert converted is not None  # None only in place
        return converted
    return image.convert("RGB")


def _read_deep(path: Path, exif: Image.Exif, icc: bytes | None) -> Photo:
    """A file of 16 or 32 bits a channel: Pillow would keep 8 of them."""
    stored = read_float_pixels(path)
    if stored.scene_linear:
        photo = photo_from_light(path, stored)
    else:
        pixels = stored.colour.clip(0.0, 1.0)
        way = profile_to_srgb(icc, "RGB")
        photo = Photo(
            pixels=float_to_srgb(way, pixels) if way else pixels,
            valid=_valid(path, None if stored.alpha is None else stored.alpha * 255 >= OPAQUE),
            path=path,
            alpha=_partly_transparent(stored.alpha, 1.0),
        )
    orientation = read_orientation(exif.get(Base.Orientation))
    pixels = upright(photo.pixels, orientation)
    return Photo(
        pixels=pixels,
        valid=None if photo.valid is None else upright(photo.valid, orientation),
        path=path,
        camera=camera_from_exif(exif, pixels.shape[1], pixels.shape[0]),
        alpha=None if photo.alpha is None else upright(photo.alpha, orientation),
    )


def _partly_transparent(alpha: np.ndarray | None, opaque: float) -> np.ndarray | None:
    """Alpha as floats in [0, 1], or None where it is `opaque` all over."""
    return None if alpha is None or (alpha >= opaque).all() else alpha.astype(np.float32) / np.float32(opaque)


def _valid(path: Path, seen: np.ndarray | None) -> np.ndarray | None:
    if seen is None or seen.all():
        return None
    if not seen.any():
        raise MarigoldError("bad_input", f"{path.name} is transparent all over: there is nothing to see.")
    return seen


def _is_deep_png(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(25)
    return head.startswith(b"\x89PNG") and head[24] == 16


def _tiff_metadata(path: Path) -> tuple[Image.Exif, bytes | None]:
    """EXIF and colour profile of a TIFF, without asking Pillow for its pixels, of which it does not know every kind."""
    exif = Image.Exif()
    with path.open("rb") as file:
        try:
            exif.load_from_fp(file)
            icc = exif.get(Base.InterColorProfile)
        except DECODING_ERRORS:
            return Image.Exif(), None
    return exif, icc if isinstance(icc, bytes) else None
