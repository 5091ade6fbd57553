"""A saved .blend stands by itself: without the cache, without the photo's file, without this extension."""

import shutil

import bpy
import numpy as np
import pytest

from tests.blender.synthetic_photo import garden, psnr, render, vertices_of, write_job

MODULE = "bl_ext.user_default.marigold_depth"


@pytest.fixture
def saved(extension, tmp_path):
    """A saved scene, whose depth files have been deleted since: its path, the photo, and the mesh's vertices."""
    photo, depth = garden(160, 120)
    files = write_job(tmp_path / "cache", photo, depth)
    image = extension("marigold_blender.scene.depth_image").load_depth(files)
    scene = extension("marigold_blender.scene.photo_scene")
    built = scene.build_photo_scene(bpy.context, image, scene.PhotoSceneOptions(vertices=20_000, match_render=True))
    vertices = vertices_of(built.data)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    shutil.rmtree(tmp_path / "cache")
    return tmp_path / "scene.blend", photo, vertices


@pytest.fixture
def without_extension(extension):
    bpy.ops.preferences.addon_disable(module=MODULE)
    yield
    bpy.ops.preferences.addon_enable(module=MODULE)


def open_blend(path):
    bpy.ops.wm.open_mainfile(filepath=str(path))
    return bpy.data.objects["garden"]


def assert_nothing_changed(built, photo, vertices, folder):
    assert np.array_equal(vertices_of(built.data), vertices)
    for view in ("Standard", "AgX"):
        bpy.context.scene.view_settings.view_transform = view
        seen = render(folder / "seen.png")
        covered = seen[..., 3] > 0.5
        assert covered.mean() >= 0.95
        assert psnr(seen[covered][:, :3], photo[covered]) >= 30


def test_reopened_without_cache_and_extension_nothing_changed(saved, without_extension, tmp_path):
    path, photo, vertices = saved
    built = open_blend(path)
    assert not hasattr(built.data, "marigold")
    assert_nothing_changed(built, photo, vertices, tmp_path)


def test_a_file_that_was_saved_without_the_extension_still_follows_with_it(saved, without_extension, tmp_path):
    path, _, _ = saved
    open_blend(path)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "again.blend"))
    bpy.ops.preferences.addon_enable(module=MODULE)
    built = open_blend(tmp_path / "again.blend")
    image = built.data.marigold.depth
    assert (image.name, image.marigold.photo.name, image.marigold.model) == ("garden depth", "garden", "demo")
    image.marigold.far = 10
    assert vertices_of(built.data)[:, 2].min() == pytest.approx(-10, rel=1e-3)


def test_a_new_mesh_can_be_built_after_reopening(saved, extension):
    path, _, vertices = saved
    image = open_blend(path).data.marigold.depth
    scene = extension("marigold_blender.scene.photo_scene")
    again = scene.build_photo_scene(bpy.context, image, scene.PhotoSceneOptions(vertices=20_000))
    assert vertices_of(again.data) == pytest.approx(vertices)


def test_depth_that_nothing_was_built_from_is_saved_too(extension, tmp_path):
    _, depth = garden(40, 30)
    load_depth = extension("marigold_blender.scene.depth_image").load_depth
    load_depth(write_job(tmp_path / "cache", *garden(40, 30), valid=depth < 0.9))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    shutil.rmtree(tmp_path / "cache")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    pixels = extension("marigold_blender.scene.depth_image").read_pixels(bpy.data.images["garden depth"])
    assert np.array_equal(pixels.depth, depth)
    assert np.array_equal(pixels.valid, depth < 0.9)


def test_view_transforms_are_counted_anew_when_a_file_is_opened(saved, tmp_path):
    """Another Blender version gives them other numbers: here the saved number is wrong on purpose."""
    path, photo, vertices = saved
    for node in open_blend(path).active_material.node_tree.nodes:
        if node.type == "MATH":
            node.inputs[1].default_value = 55
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    assert_nothing_changed(open_blend(path), photo, vertices, tmp_path)
