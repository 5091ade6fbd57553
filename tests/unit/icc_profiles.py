# SPDX-License-Identifier: GPL-3.0-or-later
"""ICC profiles made on the spot for tests: wide-gamut RGB and a simple CMYK (ICC.1:2001-04)."""

from __future__ import annotations

import struct

import numpy as np

# Colorants of Display P3 and Adobe RGB (1998), adapted to D50, one column each of X, Y, Z.
DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
D50 = (0.9642, 1.0, 0.8249)


def rgb_profile(colorants: tuple[tuple[float, ...], ...], gamma: float = 2.2) -> bytes:
    """A matrix profile with one gamma for all channels."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    tags = {b"desc": _description(), b"wtpt": _xyz(D50)}
    for name, colorant in zip((b"r", b"g", b"b"), colorants, strict=True):
        tags[name + b"XYZ"] = _xyz(colorant)
        tags[name + b"TRC"] = curve
    return _profile(b"RGB ", b"XYZ ", b"mntr", tags)


def cmyk_profile() -> bytes:
    """Inks on white paper: Lab of the 16 corners, each ink darkening by its half."""
    corners = []
    for index in range(16):
        inks = [(index >> shift) & 1 for shift in (3, 2, 1, 0)]
        lightness = 255.0 * np.prod([1.0 - 0.5 * ink for ink in inks[:3]]) * (1 - inks[3])
        corners.append(bytes([round(lightness), 128, 128]))
    identity = b"".join(struct.pack(">i", round(value * 65536)) for value in np.eye(3).ravel())
    ramp = bytes(range(256))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + ramp * 4 + b"".join(corners) + ramp * 3
    return _profile(b"CMYK", b"Lab ", b"prtr", {b"desc": _description(), b"wtpt": _xyz(D50), b"A2B0": table})


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _description() -> bytes:
    return b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78)


def _profile(space: bytes, connection: bytes, kind: bytes, tags: dict[bytes, bytes]) -> bytes:
    offset = 128 + 4 + 12 * len(tags)
    directory, content = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        directory += name + struct.pack(">II", offset + len(content), len(value))
        content += value + bytes(-len(value) % 4)
    white = b"".join(struct.pack(">i", round(value * 65536)) for value in D50)
    header = struct.pack(">I4sI4s4s4s", offset + len(content), b"lcms", 0x02400000, kind, space, connection)
    header += bytes(12) + b"acsp" + bytes(28) + white
    return header.ljust(128, b"\0") + directory + content
