# SPDX-License-Identifier: GPL-3.0-or-later
"""Focal length in pixels from what cameras write into their files."""

from __future__ import annotations

import math
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image
from PIL.ExifTags import IFD
from PIL.TiffImagePlugin import IFDRational

from marigold_blender.photos.read import read_photo
from marigold_blender.record import SourceCamera

FULL_FRAME = math.hypot(36, 24)
MAKE, MODEL, ORIENTATION, SOFTWARE = 0x010F, 0x0110, 0x0112, 0x0131
MAIN_TAGS = {MAKE, MODEL, ORIENTATION}
FOCAL, FOCAL_35, ZOOM, LENS = 0x920A, 0xA405, 0xA404, 0xA434
PLANE_X, PLANE_UNIT, EXIF_WIDTH, EXIF_HEIGHT = 0xA20E, 0xA210, 0xA002, 0xA003


def camera_of(folder: Path, tags: dict[int, object], suffix: str = "jpg") -> SourceCamera:
    exif = Image.Exif()
    exif[SOFTWARE] = "test"  # some of Pillow's writers take an EXIF directory alone for none
    exif[IFD.Exif] = {tag: value for tag, value in tags.items() if tag not in MAIN_TAGS}
    for tag in MAIN_TAGS & tags.keys():
        exif[tag] = tags[tag]
    path = folder / f"a.{suffix}"
    picture = Image.new("RGB", (400, 300), (90, 120, 60))
    if suffix == "heic":
        pillow_heif.from_pillow(picture).save(path, exif=exif.tobytes())
    else:
        written = Image.Exif()
        written.load(exif.tobytes())  # the TIFF writer takes directories only from what was read
        picture.save(path, exif=written)
    return read_photo(path).camera


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "heic", "avif"])
def test_35_mm_equivalent_by_the_diagonal(tmp_path: Path, suffix: str) -> None:
    camera = camera_of(tmp_path, {FOCAL_35: 26}, suffix=suffix)
    assert camera.origin == "exif_35mm"
    assert camera.focal_px == pytest.approx(26 * 500 / FULL_FRAME)


def test_turned_photos_have_the_same_focal_length(tmp_path: Path) -> None:
    tags = {FOCAL: 50.0, PLANE_X: 1000.0, PLANE_UNIT: 3, EXIF_WIDTH: 400, EXIF_HEIGHT: 300, ORIENTATION: 6}
    assert camera_of(tmp_path, tags).focal_px == pytest.approx(50 * 100)


def test_digital_zoom_lengthens_the_35_mm_equivalent(tmp_path: Path) -> None:
    plain = camera_of(tmp_path, {FOCAL_35: 27, ZOOM: 0.0}).focal_px
    zoomed = camera_of(tmp_path, {FOCAL_35: 27, ZOOM: 2.5}).focal_px
    assert plain is not None
    assert zoomed == pytest.approx(2.5 * plain)


def test_apple_s_equivalent_includes_the_digital_zoom(tmp_path: Path) -> None:
    camera = camera_of(tmp_path, {MAKE: "Apple", FOCAL_35: 55, ZOOM: 1.951})
    assert camera.focal_px == pytest.approx(55 * 500 / FULL_FRAME)


@pytest.mark.parametrize(("unit", "density"), [(2, 25400.0), (3, 10000.0), (4, 1000.0), (5, 1.0)])
def test_sensor_density_where_there_is_no_equivalent(tmp_path: Path, unit: int, density: float) -> None:
    camera = camera_of(tmp_path, {FOCAL: 0.5, PLANE_X: density, PLANE_UNIT: unit})
    assert camera.origin == "exif_sensor"
    assert camera.focal_px == pytest.approx(500.0, rel=1e-4)


def test_scaled_photos_scale_the_focal_length(tmp_path: Path) -> None:
    tags = {FOCAL: 50.0, PLANE_X: 2000.0, PLANE_UNIT: 3, EXIF_WIDTH: 4000, EXIF_HEIGHT: 3000}
    assert camera_of(tmp_path, tags).focal_px == pytest.approx(50 * 200 / 10)


def test_cropped_photos_do_not_pretend_to_know(tmp_path: Path) -> None:
    tags = {FOCAL: 50.0, PLANE_X: 2000.0, PLANE_UNIT: 3, EXIF_WIDTH: 4000, EXIF_HEIGHT: 2000}
    camera = camera_of(tmp_path, tags)
    assert camera.focal_px is None
    assert camera.origin == "unknown"


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {FOCAL_35: 0},
        {FOCAL: IFDRational(0, 0), PLANE_X: 100.0},
        {FOCAL: 50.0, PLANE_X: IFDRational(0, 0)},
        {FOCAL: 50.0, PLANE_X: 0.0},
        {FOCAL: 50.0, PLANE_X: 2000.0, PLANE_UNIT: 9},
        {FOCAL: 50.0},
        {FOCAL_35: 65535},
        {FOCAL: 1e6, PLANE_X: 1e6},
    ],
)
def test_values_that_no_camera_means_are_ignored(tmp_path: Path, tags: dict[int, object]) -> None:
    camera = camera_of(tmp_path, tags)
    assert camera.focal_px is None
    assert camera.origin == "unknown"


def test_a_useless_zoom_is_ignored(tmp_path: Path) -> None:
    for zoom in (IFDRational(0, 0), 0.0, 0.5):
        assert camera_of(tmp_path, {FOCAL_35: 26, ZOOM: zoom}).focal_px == pytest.approx(26 * 500 / FULL_FRAME)


def test_the_description_names_camera_and_lens(tmp_path: Path) -> None:
    tags = {MAKE: "Canon", MODEL: "Canon EOS R5\0\0", LENS: "RF24-70mm", FOCAL: 35.0}
    assert camera_of(tmp_path, tags).description == "Canon EOS R5, RF24-70mm, 35 mm"
    assert camera_of(tmp_path, {MAKE: "Apple", MODEL: "iPhone 15", FOCAL_35: 26}).description == (
        "Apple iPhone 15, 26 mm in 35 mm film"
    )


def test_damaged_exif_is_no_reason_to_refuse(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f" + b"\xff" * 40)
    assert read_photo(tmp_path / "a.jpg").camera.focal_px is None


def test_the_sensor_size_of_a_known_model_determines_it(tmp_path: Path) -> None:
    camera = camera_of(tmp_path, {FOCAL: 35.0, MAKE: "Canon", MODEL: "Canon EOS 600D"})
    assert camera.origin == "sensor_table"
    assert camera.focal_px == pytest.approx(35 * 500 / math.hypot(22.3, 14.9), rel=0.01)  # Canon's data sheet


@pytest.mark.parametrize("model", ["EOS", "No Such Camera"])
def test_an_unknown_model_determines_nothing(tmp_path: Path, model: str) -> None:
    camera = camera_of(tmp_path, {FOCAL: 35.0, MAKE: "Canon", MODEL: model})
    assert (camera.focal_px, camera.origin) == (None, "unknown")
