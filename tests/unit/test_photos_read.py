# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos of every kind become upright sRGB pixels."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813
import pillow_heif
import pytest
from PIL import Image, ImageCms
from skimage import data

from marigold_blender.photos.photo import pixels_sha256
from marigold_blender.photos.read import read_photo
from marigold_blender.photos.srgb import decode_srgb, encode_srgb
from marigold_blender.photos.upright_copy import write_upright_copy
from tests.unit.icc_profiles import ADOBE_RGB, DISPLAY_P3, cmyk_profile, rgb_profile

COFFEE = data.coffee()[100:260, 200:440]  # [160, 240, 3]


def psnr(ours: np.ndarray, expected: np.ndarray) -> float:
    scale = 255.0 if ours.dtype == np.uint8 else 1.0
    difference = ours.astype(float) / scale - expected.astype(float) / 255.0
    return float(-10 * np.log10(max((difference**2).mean(), 1e-12)))


def write_with_openimageio(path: Path, pixels: np.ndarray, kind: str, names: tuple[str, ...] = ()) -> None:
    height, width, channels = pixels.shape
    spec = oiio.ImageSpec(width, height, channels, kind)
    if names:
        spec.channelnames = names
    spec["oiio:UnassociatedAlpha"] = 1
    file = oiio.ImageOutput.create(str(path))
    assert file.open(str(path), spec)
    assert file.write_image(pixels)
    file.close()


@pytest.mark.parametrize(
    ("name", "options", "fidelity"),
    [
        ("a.jpg", {"quality": 95}, 35),
        ("a.png", {}, 100),
        ("a.tif", {}, 100),
        ("a.tiff", {"compression": "tiff_lzw"}, 100),
        ("a.webp", {"lossless": True}, 100),
        ("a.bmp", {}, 100),
        ("a.jp2", {}, 35),
        ("a.avif", {"quality": 95}, 33),
    ],
)
def test_8_bit_files(tmp_path: Path, name: str, options: dict, fidelity: float) -> None:
    Image.fromarray(COFFEE).save(tmp_path / name, **options)
    photo = read_photo(tmp_path / name)
    assert photo.pixels.dtype == np.uint8
    assert (photo.height, photo.width) == (160, 240)
    assert psnr(photo.pixels, COFFEE) >= fidelity
    assert photo.valid is None
    assert photo.shows_as_is == (name not in ("a.jp2", "a.avif"))


def test_heic(tmp_path: Path) -> None:
    pillow_heif.from_pillow(Image.fromarray(COFFEE)).save(tmp_path / "a.heic", quality=95)
    photo = read_photo(tmp_path / "a.heic")
    assert psnr(photo.pixels, COFFEE) > 33
    assert not photo.shows_as_is


def test_the_content_decides_and_not_the_suffix(tmp_path: Path) -> None:
    Image.fromarray(COFFEE).save(tmp_path / "photo.jpg", format="PNG")
    pillow_heif.from_pillow(Image.fromarray(COFFEE)).save(tmp_path / "b.heic", quality=95)
    (tmp_path / "b.heic").rename(tmp_path / "b.png")
    write_with_openimageio(tmp_path / "c.exr", (COFFEE / 255.0).astype(np.float32), "half")
    (tmp_path / "c.exr").rename(tmp_path / "c.jpg")
    assert (read_photo(tmp_path / "photo.jpg").pixels == COFFEE).all()
    assert psnr(read_photo(tmp_path / "b.png").pixels, COFFEE) > 33
    assert read_photo(tmp_path / "c.jpg").pixels.dtype == np.float32


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "heic", "avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_rotated_and_mirrored_photos_stand_upright(tmp_path: Path, suffix: str, orientation: int) -> None:
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the stored picture: Pillow's inverse transpositions
    upright = Image.fromarray(COFFEE)
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(turns[orientation]))
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / f"turned.{suffix}"
    if suffix == "heic":
        pillow_heif.from_pillow(stored).save(path, quality=95, exif=exif.tobytes())
    else:
        stored.save(path, exif=exif, **({"quality": 95} if suffix in ("jpg", "avif") else {}))
    photo = read_photo(path)
    assert photo.pixels.shape == COFFEE.shape
    assert psnr(photo.pixels, COFFEE) > 28
    assert photo.shows_as_is == (orientation == 1 and suffix not in ("heic", "avif"))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_are_kept(tmp_path: Path, suffix: str) -> None:
    ramp = np.linspace(0, 65535, 240 * 160).astype(np.uint16).reshape(160, 240)
    deep = np.stack([ramp, ramp[::-1], ramp[:, ::-1]], axis=-1)
    write_with_openimageio(tmp_path / f"a.{suffix}", deep, "uint16")
    photo = read_photo(tmp_path / f"a.{suffix}")
    assert photo.pixels.dtype == np.float32
    assert np.abs(photo.pixels - deep / 65535.0).max() < 1e-6
    assert not photo.shows_as_is


def test_16_bit_grey_and_alpha(tmp_path: Path) -> None:
    grey = np.linspace(0, 65535, 160 * 240).astype(np.uint16).reshape(160, 240)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    assert np.abs(read_photo(tmp_path / "grey.png").pixels[..., 1] - grey / 65535.0).max() < 1e-6
    alpha = np.zeros_like(grey)
    alpha[:, 100:] = 65535
    rgba = np.stack([grey, grey, grey, alpha], axis=-1)
    write_with_openimageio(tmp_path / "rgba.png", rgba, "uint16")
    photo = read_photo(tmp_path / "rgba.png")
    assert photo.valid is not None
    assert (photo.valid == (alpha > 0)).all()
    assert np.abs(photo.pixels[:, 150] - grey[:, 150, None] / 65535.0).max() < 1e-6


def test_16_bit_tiffs_are_turned_upright(tmp_path: Path) -> None:
    spec = oiio.ImageSpec(240, 160, 3, "uint16")
    spec["Orientation"] = 6
    file = oiio.ImageOutput.create(str(tmp_path / "a.tif"))
    file.open(str(tmp_path / "a.tif"), spec)
    file.write_image(COFFEE.astype(np.uint16) * 257)
    file.close()
    photo = read_photo(tmp_path / "a.tif")
    assert psnr(photo.pixels, np.rot90(COFFEE, -1)) > 90


def test_grey_palette_and_1_bit(tmp_path: Path) -> None:
    picture = Image.fromarray(COFFEE)
    grey = picture.convert("L")
    grey.save(tmp_path / "grey.jpg", quality=95)
    assert psnr(read_photo(tmp_path / "grey.jpg").pixels, np.asarray(grey.convert("RGB"))) > 35
    palette = picture.quantize(64)
    palette.save(tmp_path / "palette.png")
    palette.save(tmp_path / "palette.gif")
    for name in ("palette.png", "palette.gif"):
        assert (read_photo(tmp_path / name).pixels == np.asarray(palette.convert("RGB"))).all()
    picture.convert("1").save(tmp_path / "bits.png")
    assert (read_photo(tmp_path / "bits.png").pixels == np.asarray(picture.convert("1").convert("RGB"))).all()


def test_transparent_pixels_are_invalid(tmp_path: Path) -> None:
    alpha = np.full((160, 240), 255, np.uint8)
    alpha[:40] = 0
    rgba = Image.fromarray(np.dstack([COFFEE, alpha]))
    grey = Image.merge("LA", [rgba.convert("L"), rgba.getchannel("A")])
    rgba.save(tmp_path / "rgba.png")
    grey.save(tmp_path / "la.png")
    rgba.save(tmp_path / "rgba.webp", lossless=True, exact=True)
    rgba.save(tmp_path / "rgba.tif")
    palette = Image.fromarray(np.where(alpha == 0, 0, 1 + COFFEE[..., 0] // 2).astype(np.uint8), "P")
    palette.putpalette([level for index in range(256) for level in (index, index, index)])
    palette.save(tmp_path / "palette.png", transparency=0)
    palette.save(tmp_path / "palette.gif", transparency=0)
    for name in ("rgba.png", "la.png", "rgba.webp", "rgba.tif", "palette.png", "palette.gif"):
        photo = read_photo(tmp_path / name)
        assert photo.valid is not None, name
        assert (photo.valid == (alpha > 0)).all(), name
    assert (read_photo(tmp_path / "rgba.png").pixels == COFFEE).all()


def test_opaque_alpha_is_no_mask(tmp_path: Path) -> None:
    Image.fromarray(COFFEE).convert("RGBA").save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    assert photo.valid is None
    assert photo.shows_as_is


def test_cmyk_with_and_without_profile(tmp_path: Path) -> None:
    inks = Image.new("CMYK", (64, 48), (0, 0, 0, 0))
    inks.paste((0, 255, 255, 0), (0, 0, 32, 48))
    inks.save(tmp_path / "plain.jpg", quality=95)
    plain = read_photo(tmp_path / "plain.jpg").pixels
    assert plain[24, 10, 0] > 200 > 60 > plain[24, 10, 1]
    assert plain[24, 50].min() > 245
    inks.save(tmp_path / "profile.tif", icc_profile=cmyk_profile())
    profiled = read_photo(tmp_path / "profile.tif").pixels
    # By the profile, two inks leave a quarter of the lightness, and no colour.
    assert profiled[24, 10].max() < 90
    assert np.ptp(profiled[24, 10].astype(int)) < 12
    assert profiled[24, 50].min() > 245


@pytest.mark.parametrize("colorants", [DISPLAY_P3, ADOBE_RGB], ids=["Display P3", "Adobe RGB"])
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "heic"])
def test_wide_gamut_becomes_srgb(tmp_path: Path, colorants: tuple, suffix: str) -> None:
    profile = rgb_profile(colorants)
    srgb = ImageCms.createProfile("sRGB")
    wide = ImageCms.profileToProfile(
        Image.fromarray(COFFEE), srgb, ImageCms.ImageCmsProfile(io.BytesIO(profile)), renderingIntent=1
    )
    assert wide is not None
    path = tmp_path / f"wide.{suffix}"
    if suffix == "heic":
        wide.info["icc_profile"] = profile
        pillow_heif.from_pillow(wide).save(path, quality=100)
    else:
        wide.save(path, icc_profile=profile, **({"quality": 98, "subsampling": 0} if suffix == "jpg" else {}))
    photo = read_photo(path)
    assert psnr(photo.pixels, COFFEE) > 30
    assert psnr(photo.pixels, COFFEE) > psnr(np.asarray(wide), COFFEE) + 3
    assert not photo.shows_as_is


def test_16_bit_wide_gamut_becomes_srgb(tmp_path: Path) -> None:
    profile = rgb_profile(ADOBE_RGB)
    wide = ImageCms.profileToProfile(
        Image.fromarray(COFFEE), ImageCms.createProfile("sRGB"), ImageCms.ImageCmsProfile(io.BytesIO(profile))
    )
    spec = oiio.ImageSpec(240, 160, 3, "uint16")
    spec.attribute("ICCProfile", oiio.TypeDesc(f"uint8[{len(profile)}]"), np.frombuffer(profile, np.uint8))
    for name in ("a.png", "a.tif"):
        file = oiio.ImageOutput.create(str(tmp_path / name))
        assert file.open(str(tmp_path / name), spec)
        file.write_image(np.asarray(wide).astype(np.uint16) * 257)
        file.close()
        photo = read_photo(tmp_path / name)
        assert photo.pixels.dtype == np.float32
        assert psnr(photo.pixels, COFFEE) > 40


def test_an_srgb_profile_changes_nothing(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(COFFEE).save(tmp_path / "a.png", icc_profile=srgb)
    photo = read_photo(tmp_path / "a.png")
    assert (photo.pixels == COFFEE).all()
    assert photo.shows_as_is


@pytest.mark.parametrize("icc", [b"no profile at all", cmyk_profile()], ids=["damaged", "of another kind"])
def test_profiles_that_do_not_fit_are_ignored(tmp_path: Path, icc: bytes) -> None:
    Image.fromarray(COFFEE).save(tmp_path / "a.png", icc_profile=icc)
    assert (read_photo(tmp_path / "a.png").pixels == COFFEE).all()


@pytest.mark.parametrize("suffix", ["exr", "hdr"])
@pytest.mark.parametrize("brightness", [0.02, 1.0, 500.0])
def test_scene_linear_light_is_exposed_for_the_display(tmp_path: Path, suffix: str, brightness: float) -> None:
    linear = decode_srgb(COFFEE) * np.float32(brightness)
    write_with_openimageio(tmp_path / f"a.{suffix}", linear, "float")
    photo = read_photo(tmp_path / f"a.{suffix}")
    assert photo.pixels.dtype == np.float32
    assert not photo.shows_as_is
    assert 0.0 <= photo.pixels.min() <= photo.pixels.max() <= 1.0
    light = photo.pixels @ np.array([0.3, 0.59, 0.11])
    assert 0.7 < np.percentile(light, 90) < 0.85


def test_exr_channels_are_found_by_name_and_nonsense_is_black_or_white(tmp_path: Path) -> None:
    linear = np.full((32, 48, 4), 0.4, np.float32)
    linear[0, 0, :3], linear[1, 1, :3], linear[2, 2, :3] = np.nan, np.inf, -5.0
    linear[20:, :, 3] = 0.0
    linear[:20, :, 3] = 1.0
    names = ("View.Combined.R", "View.Combined.G", "View.Combined.B", "View.Combined.A")
    write_with_openimageio(tmp_path / "a.exr", linear, "float", names)
    photo = read_photo(tmp_path / "a.exr")
    assert np.isfinite(photo.pixels).all()
    assert photo.pixels[0, 0, 0] == 0.0
    assert photo.pixels[1, 1, 0] == pytest.approx(1.0)
    assert photo.pixels[2, 2, 0] == 0.0
    assert photo.pixels[10, 10, 0] == pytest.approx(0.8, abs=0.01)
    assert photo.valid is not None
    assert photo.valid[:20].all()
    assert not photo.valid[20:].any()


def test_the_srgb_curve_is_undone_by_its_inverse() -> None:
    for value in (0.0, 0.01, 0.04, 0.3, 1.0):
        assert encode_srgb(decode_srgb(np.array([value])))[0] == pytest.approx(value, abs=1e-5)


def test_no_warning_leaks(tmp_path: Path) -> None:
    large = np.zeros((9_500, 9_500), np.uint8)  # above the size at which Pillow warns of decompression bombs
    Image.fromarray(large).save(tmp_path / "large.png", compress_level=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_photo(tmp_path / "large.png").width == 9_500


def test_the_upright_copy_shows_what_the_network_saw(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(COFFEE).save(tmp_path / "a.jpg", quality=95, exif=exif)
    photo = read_photo(tmp_path / "a.jpg")
    copy = read_photo(write_upright_copy(photo, tmp_path / "copy.png"))
    assert (copy.pixels == photo.pixels).all()
    assert copy.shows_as_is
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "copy.png"]


def test_the_hash_is_of_what_is_seen(tmp_path: Path) -> None:
    picture = Image.fromarray(COFFEE)
    picture.save(tmp_path / "a.png")
    picture.save(tmp_path / "b.bmp")
    assert pixels_sha256(read_photo(tmp_path / "a.png")) == pixels_sha256(read_photo(tmp_path / "b.bmp"))
    picture.putpixel((3, 4), (1, 2, 3))
    picture.save(tmp_path / "c.png")
    assert pixels_sha256(read_photo(tmp_path / "a.png")) != pixels_sha256(read_photo(tmp_path / "c.png"))
