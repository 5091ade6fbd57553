# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a scene data set (DESIGN: rgb/ depth/ normals/ meta/): writes them, with numpy and the standard library.

Written by the renderer inside Blender, which has no imaging library; read by `dataset.py`. A picture is complete when
its meta file is there: it is written last, and everything is written beside and renamed.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

FOLDERS = ("rgb", "depth", "normals", "meta", "scenes")


def write_view(
    root: Path, name: str, rgb: np.ndarray, depth: np.ndarray, normals: np.ndarray, meta: dict[str, Any]
) -> None:
    """Write one picture of a data set.

    Args:
        rgb: [H, W, 3] uint8, sRGB, display-referred.
        depth: [H, W] float32, planar, metres; inf where there is nothing.
        normals: [H, W, 3] float32 in camera space, 0 where there is nothing; kept as PNG, n * 127.5 + 127.5.
        meta: camera, seed, family, planes; gains the files' sha256.
    """
    coded = np.clip(normals * 127.5 + 127.5 + 0.5, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    np.save(buffer, depth.astype(np.float32))
    files = {
        f"rgb/{name}.png": png_bytes(rgb),
        f"depth/{name}.npy": buffer.getvalue(),
        f"normals/{name}.png": png_bytes(coded),
    }
    for path, data in files.items():
        write_whole(root / path, data)
    hashes = {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
    write_whole(root / f"meta/{name}.json", json.dumps({**meta, "sha256": hashes}).encode())


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is either there in full or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(data)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def png_bytes(pixels: np.ndarray) -> bytes:
    """An 8-bit RGB PNG of [H, W, 3] uint8."""
    height, width, _ = pixels.shape
    up = np.vstack([np.zeros((1, width, 3), np.uint8), pixels[:-1]])
    lines = np.concatenate([np.full((height, 1), 2, np.uint8), (pixels - up).reshape(height, -1)], 1)  # filter: up

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(lines.tobytes(), 6)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
