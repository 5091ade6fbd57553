# SPDX-License-Identifier: GPL-3.0-or-later
"""What is no usable photo is refused in one sentence that names the file."""

from __future__ import annotations

import os
import struct
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813
import pillow_heif
import pytest
from PIL import Image
from skimage import data

from marigold_blender.errors import MarigoldError
from marigold_blender.photos.read import read_photo


def refusal(path: Path) -> str:
    with pytest.raises(MarigoldError) as caught:
        read_photo(path)
    assert caught.value.kind == "bad_input"
    message = caught.value.message
    assert path.name in message
    assert message.endswith(".")
    assert "\n" not in message
    return message


def test_missing(tmp_path: Path) -> None:
    assert "no file" in refusal(tmp_path / "nowhere.jpg")


def test_a_folder(tmp_path: Path) -> None:
    assert "folder" in refusal(tmp_path)


def test_empty(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    assert "empty" in refusal(tmp_path / "empty.jpg")


@pytest.mark.skipif(sys.platform == "win32", reason="rights are not bits there")
def test_not_permitted(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    Image.new("RGB", (64, 64)).save(path)
    path.chmod(0)
    as_root = os.geteuid() == 0
    if as_root:
        os.seteuid(65534)
    try:
        assert "permission" in refusal(path)
    finally:
        if as_root:
            os.seteuid(0)


@pytest.mark.parametrize(
    "content",
    [
        b"hello, I am a text file\n" * 20,
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\nshowpage\n",
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n" + b"\0" * 200,
        b"\xff\xd8\xff\xe0" + b"\0" * 200,
        b"II*\0" + b"\xff" * 200,
        b"II*\0\x08\0\0\0\0\0\0\0\0\0",
        b"\x76\x2f\x31\x01" + b"\x02" * 200,
        b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 40 +X 40\n",
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 200,
        b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + b"\0" * 200,
        b"RIFF\x24\0\0\0WEBPVP8 " + b"\0" * 100,
        bytes(range(256)) * 10,
    ],
)
@pytest.mark.parametrize("suffix", ["jpg", "exr"])
def test_bytes_that_are_no_photo(tmp_path: Path, content: bytes, suffix: str) -> None:
    (tmp_path / f"a.{suffix}").write_bytes(content)
    refusal(tmp_path / f"a.{suffix}")


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp", "a.bmp", "a.gif", "a.avif", "a.heic", "a.exr"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7])
def test_cut_short(tmp_path: Path, name: str, share: float) -> None:
    path = tmp_path / name
    pixels = data.coffee()[:200, :300]
    if name == "a.heic":
        pillow_heif.from_pillow(Image.fromarray(pixels)).save(path)
    elif name == "a.exr":
        file = oiio.ImageOutput.create(str(path))
        file.open(str(path), oiio.ImageSpec(300, 200, 3, "half"))
        file.write_image((pixels / 255.0).astype(np.float32))
        file.close()
    else:
        Image.fromarray(pixels).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    refusal(path)


@pytest.mark.parametrize("size", [(1, 1), (7, 100), (100, 7)])
def test_too_small(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size).save(tmp_path / "dot.png")
    message = refusal(tmp_path / "dot.png")
    assert f"{size[0]} × {size[1]}" in message


def test_the_smallest_photo(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "small.png")
    assert read_photo(tmp_path / "small.png").pixels.shape == (8, 8, 3)


def _png_of_zeros(path: Path) -> None:
    """20 000 × 20 000 pixels of black in a few hundred kilobytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(20_001) * 1000) for _ in range(20)) + packer.flush()
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b""))


def _exr_of_zeros(path: Path) -> None:
    file = oiio.ImageOutput.create(str(path))
    file.open(str(path), oiio.ImageSpec(20_000, 20_000, 1, "half"))
    file.write_scanlines(0, 1, 0, np.zeros((1, 20_000, 1), np.float32))
    del file


@pytest.mark.parametrize(("name", "make"), [("a.png", _png_of_zeros), ("a.exr", _exr_of_zeros)])
def test_too_large_is_refused_without_decoding(tmp_path: Path, name: str, make: Callable[[Path], None]) -> None:
    make(tmp_path / name)
    started = time.process_time()
    assert "20000 × 20000" in refusal(tmp_path / name)
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_transparent_all_over(tmp_path: Path, suffix: str) -> None:
    Image.new("RGBA", (64, 64), (200, 100, 50, 0)).save(tmp_path / f"glass.{suffix}")
    assert "transparent" in refusal(tmp_path / f"glass.{suffix}")


def test_heic_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pillow_heif.from_pillow(Image.new("RGB", (64, 64))).save(tmp_path / "a.heic")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert "pillow-heif" in refusal(tmp_path / "a.heic")
