# SPDX-License-Identifier: GPL-3.0-or-later
"""Metric depth from a file: a Z pass as Blender and other renderers save it, or an array. Called by `calibrating`.

Blender's own reader shows channels called Z as black and those of files with several layers not at all, so this reads
OpenEXR itself: scan lines in one part or several, uncompressed or by ZIP, as Blender writes them ("OpenEXR File
Layout", openexr.com).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..errors import MarigoldError

MAGIC = 20000630
TILED, DEEP, MULTI_PART = 0x200, 0x800, 0x1000
LINES_OF_BLOCK = {0: 1, 2: 1, 3: 16}  # compression: none, ZIPS, ZIP
KINDS: dict[int, np.dtype] = {0: np.dtype("<u4"), 1: np.dtype("<f2"), 2: np.dtype("<f4")}
DISTANCES = ("z", "depth", "distance", "v", "y", "r")  # names of channels, the likeliest first
FARTHEST = 1e9  # Z passes hold 1e10 where nothing is


def read_metric_depth(path: Path) -> np.ndarray:
    """[H, W] float32, rows top to bottom; NaN where there is no distance.

    Raises:
        MarigoldError: the file is not there, damaged, or holds something else (`bad_input`).
    """
    try:
        depth = _read_array(path) if path.suffix.lower() == ".npy" else _read_exr(path)
    except (OSError, ValueError, struct.error, zlib.error, IndexError, KeyError, MemoryError) as problem:
        raise MarigoldError(
            "bad_input", f"“{path}” cannot be read as depth: is it there and whole?", details=repr(problem)
        ) from problem
    usable = np.isfinite(depth) & (depth > 0) & (depth < FARTHEST)
    if not usable.any():
        raise MarigoldError("bad_input", f"“{path}” holds no distances: all are zero, infinite or negative.")
    return np.where(usable, depth, np.nan).astype(np.float32)


def _read_array(path: Path) -> np.ndarray:
    depth = np.squeeze(np.load(path, allow_pickle=False))
    if depth.ndim != 2 or depth.dtype.kind not in "fiu":
        raise MarigoldError(
            "bad_input", f"“{path}” must hold one number a pixel, [height, width]; it is {depth.dtype} {depth.shape}."
        )
    return depth.astype(np.float32)


def _read_exr(path: Path) -> np.ndarray:
    data = path.read_bytes()
    magic, version = struct.unpack_from("<Ii", data)
    if magic != MAGIC:
        raise MarigoldError("bad_input", f"“{path}” is neither .exr nor .npy: choose a file with metric depth.")
    multi_part = bool(version & MULTI_PART)
    parts, place = _headers(data, multi_part)
    named = [
        (f"{part.get('name', b'').decode()}.{channel}", index, number)
        for index, part in enumerate(parts)
        for number, (channel, _) in enumerate(_channels(part["channels"]))
    ]
    _, wanted, number = named[_distance_channel([name for name, _, _ in named], path)]
    compression = parts[wanted]["compression"][0]
    flat = parts[wanted].get("type", b"scanlineimage").rstrip(b"\0") == b"scanlineimage"
    if version & (TILED | DEEP) or not flat or compression not in LINES_OF_BLOCK:
        raise MarigoldError(
            "bad_input", f"“{path}” is tiled, or not compressed by ZIP: save it as Blender's ZIP (lossless) EXR."
        )
    place += 8 * sum(_blocks(part) for part in parts[:wanted])
    offsets = struct.unpack_from(f"<{_blocks(parts[wanted])}Q", data, place)
    return _read_channel(data, parts[wanted], number, [offset + 4 * multi_part for offset in offsets])


def _read_channel(data: bytes, part: dict[str, bytes], number: int, offsets: list[int]) -> np.ndarray:
    """One channel of a part whose blocks begin at `offsets`."""
    left, top, right, bottom = struct.unpack("<4i", part["dataWindow"])
    width, height = right - left + 1, bottom - top + 1
    channels = list(_channels(part["channels"]))
    starts = np.cumsum([0, *(kind.itemsize * width for _, kind in channels)])
    start, kind = int(starts[number]), channels[number][1]
    depth = np.full((height, width), np.nan, np.float32)
    lines = LINES_OF_BLOCK[part["compression"][0]]
    for offset in offsets:
        first, size = struct.unpack_from("<2i", data, offset)
        count = min(lines, bottom - first + 1)
        block = data[offset + 8 : offset + 8 + size]
        if size < count * starts[-1]:  # a block that would not shrink is stored as it is
            block = _unzipped(block)
        rows = np.frombuffer(block, np.uint8, count * int(starts[-1])).reshape(count, -1)
        chosen = np.ascontiguousarray(rows[:, start : start + kind.itemsize * width])
        depth[first - top : first - top + count] = chosen.view(kind)
    return depth


def _blocks(part: dict[str, bytes]) -> int:
    """How many blocks a part has."""
    if "chunkCount" in part:
        return int(struct.unpack("<i", part["chunkCount"])[0])
    _, top, _, bottom = struct.unpack("<4i", part["dataWindow"])
    return -(-(bottom - top + 1) // LINES_OF_BLOCK.get(part["compression"][0], 1))


def _headers(data: bytes, multi_part: bool) -> tuple[list[dict[str, bytes]], int]:
    """The attributes of every part, and where the headers end."""
    parts: list[dict[str, bytes]] = []
    place = 8
    while not parts or (multi_part and data[place]):
        found: dict[str, bytes] = {}
        while data[place]:
            name_end = data.index(b"\0", place)
            kind_end = data.index(b"\0", name_end + 1)
            (size,) = struct.unpack_from("<i", data, kind_end + 1)
            found[data[place:name_end].decode()] = data[kind_end + 5 : kind_end + 5 + size]
            place = kind_end + 5 + size
        parts.append(found)
        place += 1
    return parts, place + multi_part


def _channels(data: bytes) -> Iterator[tuple[str, np.dtype]]:
    place = 0
    while data[place]:
        end = data.index(b"\0", place)
        yield data[place:end].decode(), KINDS[struct.unpack_from("<i", data, end + 1)[0]]
        place = end + 17


def _distance_channel(names: list[str], path: Path) -> int:
    ends = [name.rpartition(".")[2].lower() for name in names]
    for wanted in DISTANCES:
        # a layer called Depth may have a channel V or R of its own: it goes before the picture's
        for index, name in enumerate(names):
            if ends[index] == wanted or (wanted == "depth" and ".depth." in f".{name.lower()}"):
                return index
    raise MarigoldError("bad_input", f"“{path}” has no channel for depth (Z, V, Y or R), only {', '.join(names)}.")


def _unzipped(block: bytes) -> bytes:
    """A ZIP block: differences of neighbours, odd bytes behind even ones."""
    raw = np.frombuffer(zlib.decompress(block), np.uint8)
    summed = np.cumsum(raw.astype(np.int64) - 128) + 128
    mixed = (summed & 0xFF).astype(np.uint8)
    half = (len(mixed) + 1) // 2
    plain = np.empty_like(mixed)
    plain[0::2], plain[1::2] = mixed[:half], mixed[half:]
    return plain.tobytes()
