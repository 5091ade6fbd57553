# SPDX-License-Identifier: GPL-3.0-or-later
"""The sentences for files that are no photos. Called by the readers in this folder."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from ..errors import MarigoldError

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
