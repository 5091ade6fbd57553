"""A depth image whose worker found shift, focal length and floor: what Photo to 3D makes of it."""

import json

import bpy
import numpy as np
import pytest
from mathutils import Vector

from tests.blender.synthetic_photo import vertices_of, write_job

WIDTH, HEIGHT, FOCAL_PX = 160, 120, 150.0
PITCH = np.radians(15)
UP = np.array([0.0, np.cos(PITCH), np.sin(PITCH)])
FLOOR_BELOW = 0.8  # in the unit of the scene, which nobody knows


def corner_of_a_room() -> np.ndarray:
    """Distance [H, W] of a floor and two walls at right angles, seen askew and from above."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    rays = np.stack([(x - WIDTH / 2) / FOCAL_PX, (HEIGHT / 2 - y) / FOCAL_PX, -np.ones_like(x)], axis=-1)
    back = np.array([0.0, -np.sin(PITCH), np.cos(PITCH)])
    left, right = (np.cos(a) * back + np.sin(a) * np.array([1.0, 0, 0]) for a in np.radians([35, -55]))
    depths = [offset / (rays @ normal) for normal, offset in ((UP, -FLOOR_BELOW), (left, -2.0), (right, -2.3))]
    return np.min([np.where(depth > 0, depth, np.inf) for depth in depths], axis=0)


@pytest.fixture
def load(extension, tmp_path):
    """Loads a depth as the worker would have written it: (metric) -> depth image."""

    def loaded(metric, focal_px=None) -> bpy.types.Image:
        near, far = float(metric.min()), float(metric.max())
        depth = ((metric - near) / (far - near)).astype(np.float32)
        files = write_job(tmp_path / "job", np.full((*depth.shape, 3), 0.5, np.float32), depth, focal_px=focal_px)
        found = extension("marigold_blender.geometry.self_calibration.calibrate").self_calibrate(
            depth, focal_px=focal_px
        )
        record = json.loads(files["record"].read_text(encoding="utf-8"))
        files["record"].write_text(json.dumps({**record, "self_calibration": found.to_json()}), encoding="utf-8")
        return extension("marigold_blender.scene.depth_image").load_depth(files)

    return loaded


@pytest.fixture
def build(extension):
    """Builds mesh and camera; returns the mesh object and the camera's."""

    def built(depth, **options):
        module = extension("marigold_blender.scene.photo_scene")
        mesh = module.build_photo_scene(bpy.context, depth, module.PhotoSceneOptions(vertices=4000, **options))
        camera = next(thing for thing in mesh.users_collection[0].objects if thing.type == "CAMERA")
        return mesh, camera

    return built


def test_range_focal_length_and_size_come_from_the_picture(load):
    metric = corner_of_a_room()
    properties = load(metric).marigold
    assert properties.calibrated == "SELF"
    assert properties.far / properties.near == pytest.approx(metric.max() / metric.min(), rel=0.02)
    assert properties.focal_px == pytest.approx(FOCAL_PX, rel=0.02)
    assert properties.near == pytest.approx(metric.min() * 1.6 / FLOOR_BELOW, rel=0.02)


def test_depth_of_field_counts_in_metres_once_the_size_is_known(load, extension):
    depth = load(corner_of_a_room())
    assert bpy.ops.marigold.add_depth_of_field(depth=depth.name) == {"FINISHED"}
    node = extension("marigold_blender.scene.depth_of_field_nodes").find_pass(bpy.context.scene)
    assert node.inputs["Metric"].default_value == 0.0  # the size is a guess
    depth.marigold.calibrated = "CALIBRATED"
    depth.marigold.far = depth.marigold.far * 1.01  # a calibration sets the range, which the pass follows
    assert node.inputs["Metric"].default_value == 1.0


def test_the_floor_is_the_ground(load, build):
    metric = corner_of_a_room()
    mesh, camera = build(load(metric))
    assert camera.matrix_world == mesh.matrix_world
    assert camera.matrix_world.translation.z == pytest.approx(1.6, rel=0.01)
    ahead = camera.matrix_world.to_3x3() @ Vector((0, 0, -1))
    assert ahead.x == pytest.approx(0, abs=1e-4)
    assert ahead.z == pytest.approx(-np.sin(PITCH), abs=0.01)
    points = vertices_of(mesh.data) @ np.array(mesh.matrix_world.to_3x3()).T + np.array(mesh.matrix_world.translation)
    on_the_floor = np.abs(points[:, 2]) < 0.02
    assert on_the_floor.mean() > 0.3
    assert points[:, 2].min() > -0.05


def test_the_photos_own_focal_length_goes_before_right_angles(load):
    depth = load(corner_of_a_room(), focal_px=140.0)
    assert depth.marigold.calibrated == "SELF"
    assert depth.marigold.focal_px == 140.0


def test_a_relief_hangs_upright(load, build):
    mesh, _ = build(load(corner_of_a_room()), mode="RELIEF")
    assert (mesh.matrix_world.to_3x3() @ Vector((0, 1, 0))).z == pytest.approx(1)


def test_a_floor_that_another_shift_has_bent_is_no_ground(load, build):
    depth = load(corner_of_a_room())
    depth.marigold.near *= 2.0
    _, camera = build(depth)
    assert (camera.matrix_world.to_3x3() @ Vector((0, 1, 0))).z == pytest.approx(1)
    assert camera.matrix_world.translation.z == pytest.approx(1.6)


def test_where_it_is_unsure_all_is_assumed(load, build):
    y, x = np.mgrid[:HEIGHT, :WIDTH] / 10
    depth = load(4 + 0.3 * np.sin(x) * np.sin(y))
    assert (depth.marigold.near, depth.marigold.far, depth.marigold.calibrated) == (1, 4, "ASSUMED")
    _, camera = build(depth)
    assert (camera.matrix_world.to_3x3() @ Vector((0, 1, 0))).z == pytest.approx(1)


def test_asking_again_takes_what_the_worker_found_until_the_camera_is_another(load, extension, monkeypatch):
    depth = load(corner_of_a_room())
    found = depth.marigold.near
    computed = []
    module = extension("marigold_blender.scene.calibrating")
    original = module.self_calibrate
    monkeypatch.setattr(module, "self_calibrate", lambda *a, **b: computed.append(b) or original(*a, **b))
    depth.marigold.near *= 2.0
    assert bpy.ops.marigold.calibrate_depth(depth=depth.name, method="SELF") == {"FINISHED"}
    assert depth.marigold.near == pytest.approx(found)
    assert not computed
    depth.marigold.cx += 3.0
    assert bpy.ops.marigold.calibrate_depth(depth=depth.name, method="SELF") == {"FINISHED"}
    assert computed[0]["principal_point"] == pytest.approx((WIDTH / 2 + 3.0, HEIGHT / 2))
