"""Edges, sky and what lies behind, as they are built in Blender."""

import bpy
import numpy as np
import pytest
from mathutils import Matrix

from tests.blender.synthetic_photo import garden, psnr, render, vertices_of, write_job, write_png

NEAR, FAR = 1.0, 4.0


@pytest.fixture
def build(extension, tmp_path):
    """Loads a photo with its depth, and builds the scene with the given options."""
    load_depth = extension("marigold_blender.scene.depth_image").load_depth
    scene = extension("marigold_blender.scene.photo_scene")

    def build_photo(photo, depth, uncertainty=None, **options):
        files = write_job(tmp_path / "job", photo, depth)
        if uncertainty is not None:
            files["uncertainty"] = tmp_path / "job" / "uncertainty.png"
            write_png(files["uncertainty"], np.repeat(uncertainty[..., None], 3, axis=2))
        image = load_depth(files)
        options = {"vertices": 30_000, "match_render": True, **options}
        return scene.build_photo_scene(bpy.context, image, scene.PhotoSceneOptions(**options))

    return build_photo


def outdoors(width=240, height=180):
    """A red box on grey ground under a blue sky: photo and depth; the sky is 1, the ground ends at 0.9."""
    y, x = np.mgrid[:height, :width].astype(np.float32) + 0.5
    below = y > height * 0.45
    ground = np.clip(0.9 - 1.6 * (y / height - 0.45), 0, 0.9)
    box = (abs(x - width * 0.4) < width * 0.12) & (abs(y - height * 0.5) < height * 0.25)
    depth = np.where(box, 0.2, np.where(below, ground, 1)).astype(np.float32)
    photo = np.where(below[..., None], 0.5, (0.2, 0.4, 0.9))
    return np.where(box[..., None], (0.8, 0.1, 0.1), photo).astype(np.float32), depth


def beside(built, name):
    (found,) = (other for other in built.users_collection[0].objects if other.name.split(".")[0].endswith(name))
    return found


def move_camera(built, aside):
    beside(built, "camera").matrix_world = built.matrix_world @ Matrix.Translation(aside)


def test_from_the_photos_camera_the_cut_mesh_covers_every_pixel(build, tmp_path):
    photo, depth = garden(240, 180)
    build(photo, depth)
    seen = render(tmp_path / "seen.png", samples=4)
    assert (seen[1:-1, 1:-1, 3] > 0.99).mean() > 0.995
    assert psnr(seen[1:-1, 1:-1, :3], photo[1:-1, 1:-1]) > 30


def test_the_sky_is_cut(build, tmp_path):
    photo, depth = outdoors()
    build(photo, depth)
    alpha = render(tmp_path / "seen.png", samples=4)[..., 3]
    assert alpha[depth == 1].mean() < 0.02
    assert alpha[depth < 1].mean() > 0.98


@pytest.mark.parametrize("sky", ["KEEP", "DOME"])
def test_the_sky_may_stay(build, tmp_path, sky):
    photo, depth = outdoors()
    built = build(photo, depth, sky=sky)
    seen = render(tmp_path / "seen.png", samples=4)
    assert (seen[..., 3] > 0.99).mean() > 0.98
    assert psnr(seen[1:-1, 1:-1, :3], photo[1:-1, 1:-1]) > 25
    farthest = np.linalg.norm(vertices_of(built.data), axis=1).max()
    assert farthest > 9 * FAR if sky == "DOME" else farthest < 2 * FAR


def test_a_relief_has_no_dome(build):
    built = build(*outdoors(), mode="RELIEF", sky="DOME")
    assert vertices_of(built.data)[:, 2].min() == pytest.approx(-FAR, rel=1e-4)


def test_without_a_fill_a_moved_camera_sees_through_the_edges_and_with_it_the_background(build, tmp_path):
    photo, depth = outdoors()
    shown = {}
    for fill in (False, True):
        built = build(photo, depth, sky="KEEP", fill=fill)
        move_camera(built, (0.3, 0.0, 0.0))
        shown[fill] = render(tmp_path / "moved.png", samples=4)
    inner = (slice(4, -4), slice(4, -80))  # right of it lies what the photo never showed
    holes = shown[False][inner][..., 3] < 0.5
    assert holes.mean() > 0.01
    assert (shown[True][inner][..., 3] < 0.5).mean() < 0.0005
    colours = shown[True][inner][holes][:, :3]
    assert (colours[:, 0] > colours[:, 2] + 0.3).mean() < 0.02  # the holes show sky and ground, not the red box


def test_the_fill_is_a_second_object_that_follows_the_depth(build):
    built = build(*outdoors(), fill=True)
    layer = beside(built, "background")
    assert layer.matrix_world == built.matrix_world
    assert layer.data.materials[0] == built.data.materials[0]
    assert bpy.context.selected_objects == [built]
    before = vertices_of(layer.data)
    built.data.marigold.depth.marigold.far = 8.0
    assert vertices_of(layer.data)[:, 2].min() < before[:, 2].min() * 1.5
    assert not layer.data.validate(verbose=True)


def test_from_the_photos_camera_the_fill_is_not_seen(build, tmp_path):
    photo, depth = garden(240, 180)
    build(photo, depth, fill=True)
    seen = render(tmp_path / "seen.png", samples=4)
    assert psnr(seen[1:-1, 1:-1, :3], photo[1:-1, 1:-1]) > 30


def test_what_an_ensemble_is_unsure_of_is_left_out(build, tmp_path):
    photo, depth = garden(160, 120)
    uncertainty = np.zeros(depth.shape, np.float32)
    uncertainty[20:60, 30:90] = 0.5
    build(photo, depth, uncertainty, uncertainty_limit=0.2)
    alpha = render(tmp_path / "seen.png", samples=4)[..., 3]
    assert alpha[22:58, 32:88].max() < 0.01
    assert alpha[64:].mean() > 0.98
