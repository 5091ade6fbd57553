"""Depth images: exact, packed, and refused in one sentence when their files are damaged."""

import bpy
import numpy as np
import pytest

from tests.blender.synthetic_photo import garden, write_job


@pytest.fixture
def depth_image(extension):
    return extension("marigold_blender.scene.depth_image")


@pytest.fixture
def error(extension):
    return extension("marigold_blender.errors").MarigoldError


def test_depth_is_exact_and_top_down(depth_image, tmp_path):
    photo, depth = garden(37, 23)
    image = depth_image.load_depth(write_job(tmp_path, photo, depth))
    assert np.array_equal(depth_image.read_pixels(image).depth, depth)
    assert image.colorspace_settings.name == "Non-Color"
    assert image.packed_file is not None
    assert image.marigold.photo.packed_file.size == (tmp_path / "garden.png").stat().st_size  # the file's own bytes


def test_it_knows_its_record_and_its_camera(depth_image, extension, tmp_path):
    image = depth_image.load_depth(write_job(tmp_path, *garden(40, 30), focal_px=55.5))
    properties = image.marigold
    assert (image.name, properties.photo.name, properties.model) == ("garden depth", "garden", "demo")
    assert (properties.near, properties.far, properties.calibrated) == (1, 4, "ASSUMED")
    assert (properties.focal_px, properties.cx, properties.cy) == (55.5, 20, 15)
    assert depth_image.record_of(image).processing_size == (40, 30)


def test_without_metadata_the_field_of_view_is_the_default(depth_image, extension, tmp_path):
    camera = extension("marigold_blender.geometry.camera").Camera.from_fov(40, 30)
    image = depth_image.load_depth(write_job(tmp_path, *garden(40, 30)))
    assert image.marigold.focal_px == pytest.approx(camera.focal_px)


@pytest.mark.parametrize("key", ["depth", "photo", "record", "mask"])
@pytest.mark.parametrize("damage", ["missing", "empty"])
def test_damaged_files_leave_nothing_behind(depth_image, error, tmp_path, key, damage):
    photo, depth = garden(40, 30)
    files = write_job(tmp_path, photo, depth, valid=depth < 0.9)
    files[key].unlink()
    if damage == "empty":
        files[key].touch()
    with pytest.raises(error) as raised:
        depth_image.load_depth(files)
    assert raised.value.kind == "bad_input"
    assert not bpy.data.images


def test_other_images_are_no_depth_images(depth_image, error):
    image = bpy.data.images.new("holiday", 4, 4)
    assert not depth_image.is_depth_image(image)
    with pytest.raises(error, match="“holiday” is not a depth image"):
        depth_image.record_of(image)


def test_a_fully_masked_photo_is_refused(depth_image, extension, error, tmp_path):
    photo, depth = garden(40, 30)
    image = depth_image.load_depth(write_job(tmp_path, photo, depth, valid=np.zeros(depth.shape, bool)))
    with pytest.raises(error, match="no valid pixels"):
        extension("marigold_blender.scene.photo_scene").build_photo_scene(bpy.context, image)
    assert not bpy.data.objects
    assert not bpy.data.collections
