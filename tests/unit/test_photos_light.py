"""Pictures as light: what is read and written again is what it was."""

from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813 - its own manual's name for it
import pytest
from PIL import Image

from marigold_blender.errors import MarigoldError
from marigold_blender.photos.light import Light, read_light, write_light

RNG = np.random.default_rng(7)


def test_an_8_bit_picture_with_alpha_comes_back_as_it_was(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 256, (30, 40, 4), np.uint8)
    pixels[..., 3] = np.maximum(pixels[..., 3], 1)  # where nothing is seen there is no colour to keep
    Image.fromarray(pixels).save(tmp_path / "a.png")
    light = read_light(tmp_path / "a.png")
    assert light.pixels.shape == (30, 40, 4)
    assert not light.deep
    write_light(light, tmp_path / "b.png")
    assert (np.asarray(Image.open(tmp_path / "b.png")) == pixels).all()


def test_a_16_bit_picture_keeps_its_16_bits(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 65536, (30, 40, 3), np.uint16)
    file = oiio.ImageOutput.create(str(tmp_path / "a.png"))
    file.open(str(tmp_path / "a.png"), oiio.ImageSpec(40, 30, 3, "uint16"))
    file.write_image(pixels)
    file.close()
    write_light(read_light(tmp_path / "a.png"), tmp_path / "b.png")
    again = oiio.ImageInput.open(str(tmp_path / "b.png"))
    assert str(again.spec().format) == "uint16"
    assert (again.read_image(format="uint16") == pixels).all()


@pytest.mark.parametrize("channels", [3, 4])
def test_an_exr_keeps_32_bits_and_highlights(tmp_path: Path, channels: int) -> None:
    pixels = (RNG.random((30, 40, channels), np.float32) * 900.0 - 0.1).astype(np.float32)
    pixels[..., 3:] = pixels[..., 3:].clip(0.0, 1.0)
    write_light(Light(pixels, scene_linear=True, deep=True), tmp_path / "a.exr")
    light = read_light(tmp_path / "a.exr")
    assert light.scene_linear
    assert (light.pixels == pixels).all()


def test_pixels_from_blender_are_multiplied_with_their_alpha(tmp_path: Path) -> None:
    pixels = np.full((10, 12, 4), 0.5, np.float32)
    np.save(tmp_path / "source.npy", pixels)
    assert read_light(tmp_path / "source.npy").pixels[0, 0] == pytest.approx([0.25, 0.25, 0.25, 0.5])


def test_nonsense_in_a_render_spoils_its_pixels_only(tmp_path: Path) -> None:
    pixels = np.full((10, 12, 3), 0.5, np.float32)
    pixels[0, 0], pixels[0, 1], pixels[5, 5] = np.nan, np.inf, 7.0
    write_light(Light(pixels, scene_linear=True, deep=True), tmp_path / "a.exr")
    light = read_light(tmp_path / "a.exr").pixels
    assert light[0, 0].max() == 0.0
    assert light[0, 1].max() == 7.0


@pytest.mark.parametrize("name", ["a.gif", "a", "a.jpg"])
def test_what_cannot_be_kept_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(MarigoldError) as failure:
        write_light(Light(np.ones((9, 9, 4), np.float32), scene_linear=False, deep=False), tmp_path / name)
    assert failure.value.kind == "bad_input"
    assert list(tmp_path.iterdir()) == []
