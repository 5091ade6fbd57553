# SPDX-License-Identifier: GPL-3.0-or-later
"""What a photo may be: sizes, and the sentences for files that are no photos. Called by the readers in this folder."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from ..errors import MarigoldError

MAX_PIXELS = 256_000_000  # 16000 x 16000; its depth map alone takes a gigabyte
MIN_EDGE = 8  # the VAE sees at least one latent pixel

# What Pillow, its plugins and OpenImageIO raise on bytes that are not what their header says.
DECODING_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    ZeroDivisionError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    zlib.error,
)


def check_size(path: Path, width: int, height: int) -> None:
    """Refuse a photo that is too large or too small, before it is decoded.

    Raises:
        MarigoldError: `bad_input`.
    """
    if width * height > MAX_PIXELS:
        raise MarigoldError(
            "bad_input",
            f"{path.name} has {width} × {height} pixels, over {MAX_PIXELS // 1_000_000} megapixels: scale it down.",
        )
    if min(width, height) < MIN_EDGE:
        raise MarigoldError(
            "bad_input",
            f"{path.name} has only {width} × {height} pixels: use a photo of at least {MIN_EDGE} × {MIN_EDGE}.",
        )


def not_a_photo(path: Path, error: Exception | str) -> MarigoldError:
    return MarigoldError(
        "bad_input",
        f"{path.name} is not a photo that can be read: use JPEG, PNG, TIFF, WebP, HEIC, AVIF, EXR or HDR.",
        details=str(error),
    )


def damaged(path: Path, error: Exception | str) -> MarigoldError:
    return MarigoldError(
        "bad_input", f"{path.name} is damaged or cut short: copy it again from where it came.", details=str(error)
    )
