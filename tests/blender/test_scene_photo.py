"""What is built from a photo and its depth: seen from its camera it is the photo, from elsewhere it is 3D."""

import time

import bpy
import numpy as np
import pytest
from mathutils import Matrix

from tests.blender.synthetic_photo import garden, psnr, render, vertices_of, write_job

SIZES = {"landscape": (320, 240), "portrait": (180, 300)}


@pytest.fixture
def build(extension, tmp_path):
    """Loads a photo with its depth, and builds the scene with the given options."""
    load_depth = extension("marigold_blender.scene.depth_image").load_depth
    scene = extension("marigold_blender.scene.photo_scene")

    def build_photo(photo, depth, *, valid=None, focal_px=None, properties=None, **options):
        image = load_depth(write_job(tmp_path / "job", photo, depth, valid=valid, focal_px=focal_px))
        for name, value in (properties or {}).items():
            setattr(image.marigold, name, value)
        options = {"vertices": 60_000, "match_render": True, **options}
        built = scene.build_photo_scene(bpy.context, image, scene.PhotoSceneOptions(**options))
        return built, image

    return build_photo


def camera_beside(built):
    (camera,) = (other for other in built.users_collection[0].objects if other.type == "CAMERA")
    return camera


def assert_shows(photo, seen):
    covered = seen[..., 3] > 0.5  # the pixel filter reaches over the frame's edge
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


def test_colours_follow_the_view_transform_after_building(build, tmp_path):
    photo, depth = garden(160, 120)
    build(photo, depth)
    for view in ("AgX", "Standard", "AgX"):
        bpy.context.scene.view_settings.view_transform = view
        assert_shows(photo, render(tmp_path / "seen.png"))


@pytest.mark.parametrize(("cx", "cy"), [(60.0, 170.0), (250.0, 40.0)])
def test_principal_point_off_centre(build, tmp_path, cx, cy):
    photo, depth = garden(320, 240)
    built, _ = build(photo, depth, focal_px=400.0, properties={"cx": cx, "cy": cy})
    assert_shows(photo, render(tmp_path / "seen.png"))
    x, y, z = vertices_of(built.data)[:, :3].T
    assert (x / -z * 400 + cx).min() == pytest.approx(0, abs=0.01)
    assert (cy - y / -z * 400).max() == pytest.approx(240, abs=0.01)


@pytest.mark.parametrize("mode", ["PERSPECTIVE", "RELIEF"])
def test_z_pass_is_metric_depth(build, tmp_path, mode):
    photo, depth = garden(320, 240)
    build(photo, depth, mode=mode, properties={"far": 11.0, "near": 2.5})
    seen = render(tmp_path / "z.exr", samples=1, z_pass=True)
    expected = 2.5 + depth * (11.0 - 2.5)
    covered = seen < 1e9
    assert covered.mean() >= 0.95
    assert np.median(np.abs(seen - expected)[covered] / expected[covered]) < 1e-3


def test_relief_shows_the_photo_too(build, tmp_path):
    photo, depth = garden(320, 240)
    built, _ = build(photo, depth, mode="RELIEF")
    assert_shows(photo, render(tmp_path / "seen.png"))
    x, y, z = vertices_of(built.data).T
    assert np.ptp(x) / np.ptp(y) == pytest.approx(320 / 240)
    assert (z.max(), z.min()) == pytest.approx((-1, -4), abs=1e-2)


@pytest.mark.parametrize("move", [(0.25, 0.0, 0.0), (-0.15, 0.2, 0.0), (0.1, 0.1, -0.3)])
def test_twenty_points_show_the_predicted_parallax_from_a_moved_camera(build, extension, tmp_path, move):
    geometry = extension("marigold_blender.geometry.unprojection")
    camera = extension("marigold_blender.geometry.camera").Camera.from_fov(480, 360)
    y, x = np.mgrid[:360, :480] + 0.5
    depth = (0.5 + 0.5 * np.sin(x / 90) * np.cos(y / 80)).astype(np.float32)
    columns, rows = np.meshgrid(np.linspace(90, 390, 5), np.linspace(80, 280, 4))
    dots = np.stack([columns.ravel(), rows.ravel()], axis=-1).astype(int) + 0.5
    light = sum(np.exp(-((x - a) ** 2 + (y - b) ** 2) / 5) for a, b in dots)
    photo = np.repeat(0.9 * light[..., None], 3, axis=2).astype(np.float32)

    built, _ = build(photo, depth, vertices=200_000, properties={"far": 5, "near": 2})
    camera_beside(built).matrix_world = built.matrix_world @ Matrix.Translation(move)
    seen = render(tmp_path / "aside.png", samples=32)[..., 0]

    column, row = dots.astype(int).T
    points = geometry.unproject(camera, dots, 2 + 3 * depth[row, column])
    predicted, _ = geometry.project(camera, points - move)
    parallax = np.linalg.norm(predicted - dots, axis=1)
    assert np.ptp(parallax) > 15  # near points move much farther than distant ones
    for point in predicted:
        weight = np.where(np.hypot(x - point[0], y - point[1]) < 8, seen, 0)
        assert weight.max() > 0.4
        found = np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()
        assert np.linalg.norm(found - point) < 1


def test_near_and_far_move_the_vertices_at_once(build):
    built, image = build(*garden(160, 120))
    before = vertices_of(built.data)
    image.marigold.far = 10
    image.marigold.near = 2
    after = vertices_of(built.data)
    depth = (-before[:, 2] - 1) / 3
    assert -after[:, 2] == pytest.approx(2 + depth * 8, rel=1e-5)
    assert after[:, :2] / after[:, 2:] == pytest.approx(before[:, :2] / before[:, 2:], abs=1e-5)  # along the same rays


def test_near_and_far_push_each_other_and_never_cross(build):
    _, image = build(*garden(40, 30))
    image.marigold.near = 9
    assert 9 < image.marigold.far < 9.1
    image.marigold.far = 2
    assert 1.9 < image.marigold.near < 2
    image.marigold.far = -5
    assert 0 < image.marigold.near < image.marigold.far


def test_focal_length_moves_mesh_and_camera_together(build, tmp_path):
    photo, depth = garden(160, 120)
    _, image = build(photo, depth)
    image.marigold.focal_px = 400
    assert_shows(photo, render(tmp_path / "seen.png"))


def test_every_mesh_of_a_depth_follows_and_others_stay(build, extension):
    built, image = build(*garden(80, 60))
    scene = extension("marigold_blender.scene.photo_scene")
    second = scene.build_photo_scene(bpy.context, image, scene.PhotoSceneOptions(vertices=1_000))
    other, _ = build(*garden(80, 60))
    assert len({built.name, second.name, other.name}) == 3
    kept = vertices_of(other.data)
    image.marigold.far = 40
    assert vertices_of(built.data)[:, 2].min() == pytest.approx(-40, rel=1e-3)
    assert vertices_of(second.data)[:, 2].min() == pytest.approx(-40, rel=1e-3)
    assert np.array_equal(vertices_of(other.data), kept)


def test_a_mesh_that_cannot_follow_is_left_alone(build):
    built, image = build(*garden(40, 30))
    built.data.attributes.remove(built.data.attributes["depth"])
    kept = vertices_of(built.data)
    image.marigold.far = 40
    assert np.array_equal(vertices_of(built.data), kept)


def test_in_edit_mode_the_mesh_waits_for_the_next_change(build):
    built, image = build(*garden(40, 30), vertices=1_000)
    bpy.ops.object.mode_set(mode="EDIT")
    image.marigold.far = 40
    bpy.ops.object.mode_set(mode="OBJECT")
    assert vertices_of(built.data)[:, 2].min() == pytest.approx(-4, rel=1e-3)
    image.marigold.far = 50
    assert vertices_of(built.data)[:, 2].min() == pytest.approx(-50, rel=1e-3)


def test_masked_pixels_have_no_faces(build, tmp_path):
    photo, depth = garden(160, 120)
    valid = np.ones(depth.shape, bool)
    valid[:40] = False
    build(photo, np.where(valid, depth, 1).astype(np.float32), valid=valid)
    alpha = render(tmp_path / "seen.png")[..., 3]
    assert alpha[:38].max() == 0
    assert alpha[42:].mean() > 0.95


def test_principled_takes_the_scenes_light(build, tmp_path):
    photo, depth = garden(80, 60)
    build(photo, depth, shading="PRINCIPLED")
    assert render(tmp_path / "dark.png")[..., :3].max() < 0.01
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy = np.pi
    sun.matrix_world = Matrix.Rotation(np.pi / 2, 4, "X")
    bpy.context.scene.collection.objects.link(sun)
    assert render(tmp_path / "lit.png")[..., :3].mean() > 0.2


def test_the_scene_changes_only_where_asked(build):
    scene = bpy.context.scene
    old_camera = bpy.data.objects.new("old camera", bpy.data.cameras.new("old camera"))
    old = bpy.data.objects.new("old", None)
    for thing in (old_camera, old):
        scene.collection.objects.link(thing)
    old.select_set(True)
    scene.camera = old_camera
    scene.render.resolution_x, scene.render.resolution_percentage = 1234, 50
    scene.view_settings.view_transform = "Filmic"
    scene.cycles.filter_width = 2.5
    collections, scenes, worlds = len(bpy.data.collections), len(bpy.data.scenes), len(bpy.data.worlds)

    built, _ = build(*garden(80, 60), match_render=False)

    assert scene.camera == old_camera
    assert (scene.render.resolution_x, scene.render.resolution_percentage) == (1234, 50)
    assert scene.view_settings.view_transform == "Filmic"
    assert scene.cycles.filter_width == 2.5
    assert len(bpy.data.collections) == collections + 1
    assert (len(bpy.data.scenes), len(bpy.data.worlds)) == (scenes, worlds)
    assert [c.name for c in built.users_collection] == ["garden"]
    assert bpy.context.view_layer.objects.active == built
    assert bpy.context.selected_objects == [built]


def test_match_render_sets_the_whole_render(build):
    scene = bpy.context.scene
    scene.render.resolution_percentage, scene.render.pixel_aspect_x = 50, 2
    scene.view_settings.exposure = 3
    built, _ = build(*garden(80, 60), match_render=True)
    assert scene.camera == camera_beside(built)
    render_settings = scene.render
    assert (render_settings.resolution_x, render_settings.resolution_y) == (80, 60)
    assert (render_settings.resolution_percentage, render_settings.pixel_aspect_x) == (100, 1)
    assert (scene.view_settings.view_transform, scene.view_settings.exposure) == ("Standard", 0)
    assert scene.cycles.filter_width == 1


def test_the_photo_stands_upright_in_the_world(build):
    built, _ = build(*garden(80, 60))
    camera = camera_beside(built)
    assert camera.matrix_world == built.matrix_world
    assert (camera.matrix_world.to_3x3() @ Matrix.Identity(3).col[1]).z == pytest.approx(1)  # the photo's up
    assert (camera.matrix_world.to_3x3() @ -Matrix.Identity(3).col[2]).y == pytest.approx(1)  # looking along +Y
    background = camera.data.background_images[0]
    assert (background.image.name, background.frame_method, background.display_depth) == ("garden", "FIT", "BACK")


def test_deleting_the_objects_lets_everything_go(build):
    built, _ = build(*garden(80, 60))
    for thing in list(built.users_collection[0].objects):
        bpy.data.objects.remove(thing)
    bpy.data.orphans_purge(do_recursive=True)
    assert not bpy.data.meshes
    assert not bpy.data.cameras
    assert not bpy.data.materials
    assert not [image.name for image in bpy.data.images if image.name.startswith("garden")]


def test_a_million_vertices_build_in_time(build):
    started = time.perf_counter()
    built, image = build(*garden(768, 576), vertices=1_000_000)
    print(f"1 million vertices: load and build {time.perf_counter() - started:.2f} s")
    assert len(built.data.vertices) > 990_000
    started = time.perf_counter()
    image.marigold.far = 5
    moving = time.perf_counter() - started
    print(f"1 million vertices: moved in {moving:.3f} s")
    assert moving < 1
    assert not built.data.validate(verbose=True)  # nothing to correct
