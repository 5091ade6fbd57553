"""What is built from a photo and its depth: seen from its camera it is the photo, from elsewhere it is 3D."""

import bpy
import numpy as np
import pytest

from tests.blender.synthetic_photo import garden, psnr, render, write_job

SIZES = {"landscape": (320, 240), "portrait": (180, 300)}


@pytest.fixture
def build(extension, tmp_path):
    """Loads a photo with its depth, and builds the scene with the given options."""
    load_depth = extension("marigold_blender.scene.depth_image").load_depth
    scene = extension("marigold_blender.scene.photo_scene")

    def build_photo(photo, depth, *, valid=None, focal_px=None, prepare=None, **options):
        image = load_depth(write_job(tmp_path / "job", photo, depth, valid=valid, focal_px=focal_px))
        if prepare:
            prepare(image.marigold)
        options = {"vertices": 60_000, "match_render": True, **options}
        built = scene.build_photo_scene(bpy.context, image, scene.PhotoSceneOptions(**options))
        return built, image

    return build_photo


def assert_shows(photo, seen):
    covered = seen[..., 3] > 0.99
    assert covered.mean() >= 0.95
    assert psnr(seen[covered][:, :3], photo[covered]) >= 30


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("view", ["Standard", "AgX", "Filmic"])
def test_matched_camera_shows_the_photo(build, tmp_path, size, view):
    photo, depth = garden(*size)
    bpy.context.scene.view_settings.view_transform = view
    build(photo, depth)
    bpy.context.scene.view_settings.view_transform = view
    assert_shows(photo, render(tmp_path / "seen.png"))
