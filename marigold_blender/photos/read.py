# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens a photo file: finds out what it is from its first bytes and has it decoded. Called by the worker."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from ..errors import MarigoldError
from .display_referred import read_display_referred
from .photo import Photo
from .scene_linear import read_scene_linear

Container = Literal["display", "scene_linear", "tiff", "heif", "avif"]

SCENE_LINEAR_SIGNATURES = (b"\x76\x2f\x31\x01", b"#?RADIANCE", b"#?RGBE")  # OpenEXR, Radiance HDR
TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
AVIF_BRANDS = (b"avif", b"avis")
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2", b"heif")


def read_photo(path: Path) -> Photo:
    """Read any photo; what the file holds decides, not its suffix.

    Raises:
        MarigoldError: there is no such file, or it is no usable photo (`bad_input`).
    """
    path = Path(path)
    container = _container(_first_bytes(path))
    if container == "scene_linear":
        return read_scene_linear(path)
    return read_display_referred(path, container)


def is_scene_linear(path: Path) -> bool:
    """Whether a file is one of a format that holds light, not display values.

    Raises:
        MarigoldError: there is no such file (`bad_input`).
    """
    return _container(_first_bytes(Path(path))) == "scene_linear"


def _container(head: bytes) -> Container:
    if head.startswith(SCENE_LINEAR_SIGNATURES):
        return "scene_linear"
    if head.startswith(TIFF_SIGNATURES):
        return "tiff"
    if head[4:8] == b"ftyp":
        # The brands stand from byte 8 to the end of the box; AVIF files also name the general HEIF brand mif1.
        brands = [head[index : index + 4] for index in range(8, min(len(head), int.from_bytes(head[:4], "big")), 4)]
        if any(brand in AVIF_BRANDS for brand in brands):
            return "avif"
        if any(brand in HEIF_BRANDS for brand in brands):
            return "heif"
    return "display"


def _first_bytes(path: Path) -> bytes:
    """The start of the file, once it is certain that there is one to read."""
    try:
        with path.open("rb") as file:
            head = file.read(256)
    except IsADirectoryError as error:
        raise _folder(path) from error
    except FileNotFoundError as error:
        raise MarigoldError("bad_input", f"There is no file {path}.") from error
    except PermissionError as error:
        if os.path.isdir(path):  # what Windows says of a folder
            raise _folder(path) from error
        raise MarigoldError("bad_input", f"{path} may not be read: give yourself the permission.") from error
    except (OSError, ValueError) as error:
        raise MarigoldError("bad_input", f"{path} cannot be read: {error}.") from error
    if not head:
        raise MarigoldError("bad_input", f"{path} is empty: choose another file.")
    return head


def _folder(path: Path) -> MarigoldError:
    return MarigoldError("bad_input", f"{path} is a folder: choose a photo in it.")
