"""A photo's camera and its forms: Blender's lens and shift, points in space."""

import numpy as np
import pytest

from marigold_blender.geometry.camera import Camera
from marigold_blender.geometry.unprojection import metric_depth, project, relief, relief_width, unproject

CAMERAS = {
    "landscape": Camera.from_fov(640, 427),
    "portrait": Camera.from_focal_35mm(3024, 4032, 26),
    "off centre": Camera(800, 600, 712.5, 130.25, 555.75),
    "telephoto": Camera.from_focal_35mm(6000, 4000, 600),
    "fisheye's middle": Camera.centred(1000, 1000, 20),
    "anamorphic": Camera(1440, 1080, 1500.5, 700.0, 555.0, pixel_aspect=4 / 3),
    "narrow pixels": Camera(720, 576, 800.0, 360.0, 300.0, pixel_aspect=0.9),
}


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS)
def test_to_blender_and_back_loses_nothing(camera):
    blender = camera.to_blender()
    back = Camera.from_blender(camera.width, camera.height, blender)
    expected = (camera.focal_px, camera.cx, camera.cy, camera.pixel_aspect)
    assert (back.focal_px, back.cx, back.cy, back.pixel_aspect) == pytest.approx(expected, rel=1e-14)
    assert back.to_blender() == pytest.approx(blender)
    assert blender.lens_mm >= 1  # Blender clamps at 1 mm


def test_35_mm_equivalent_compares_diagonals():
    assert Camera.from_focal_35mm(3600, 2400, 50).focal_px == pytest.approx(5000)
    assert Camera.from_focal_35mm(3600, 2400, 50).to_blender().lens_mm == pytest.approx(50)


def test_field_of_view_is_that_of_the_longer_edge():
    for width, height in ((400, 300), (300, 400)):
        camera = Camera.from_fov(width, height, 90)
        assert camera.focal_px == pytest.approx(200)


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS)
def test_points_to_pixels_to_points(camera):
    rng = np.random.default_rng(0)
    pixels = (rng.random((10_000, 2)) * (camera.width, camera.height)).astype(np.float32)
    metric = metric_depth(rng.random(10_000).astype(np.float32), near=0.3, far=800)
    points = unproject(camera, pixels, metric)
    assert points.dtype == np.float32
    seen, distance = project(camera, points)
    again = unproject(camera, seen, distance)
    assert (np.linalg.norm(again - points, axis=1) / np.linalg.norm(points, axis=1)).max() < 1e-5
    assert np.abs(seen - pixels).max() < 1e-5 * camera.width


def test_camera_space_is_blenders():
    camera = Camera.centred(200, 100, 100)
    corners = np.array([[0, 0], [200, 0], [100, 100], [100, 50]], float)
    points = unproject(camera, corners, np.full(4, 2.0))
    assert points.tolist() == [[-2, 1, -2], [2, 1, -2], [0, -1, -2], [0, 0, -2]]  # X right, Y up, looking along -Z


def test_a_relief_is_displaced_straight_and_fills_the_frame_at_far():
    camera = Camera.from_fov(400, 300)
    corners = np.array([[0, 0], [400, 300], [200, 150]], float)
    flat = relief(camera, corners, np.full(3, 4.0), far=4.0)
    near = relief(camera, corners, np.full(3, 1.0), far=4.0)
    assert flat == pytest.approx(unproject(camera, corners, np.full(3, 4.0)))
    assert near[:, :2] == pytest.approx(flat[:, :2])
    assert near[:, 2] == pytest.approx(-1)
    assert np.ptp(flat[:, 0]) == pytest.approx(relief_width(camera, 4.0))


def test_a_crop_keeps_the_view_of_what_is_left():
    whole = CAMERAS["off centre"]
    part = whole.cropped(100, 250, 300, 200)
    assert (part.width, part.height, part.focal_px) == (300, 200, whole.focal_px)
    points = unproject(whole, np.array([[150.0, 300.0]]), np.array([2.0]))
    assert project(part, points)[0] == pytest.approx(np.array([[50.0, 50.0]]))


def test_field_of_view_and_35_mm_equivalent_come_back():
    assert np.degrees(Camera.from_fov(300, 400, 70).fov) == pytest.approx(70)
    assert Camera.from_focal_35mm(3024, 4032, 26).focal_35mm == pytest.approx(26)


def test_wide_pixels_are_counted_in_what_they_show():
    square, wide = Camera.centred(2000, 1000, 1500), Camera(1000, 1000, 750, 500, 500, pixel_aspect=2.0)
    assert (wide.fov, wide.focal_35mm) == pytest.approx((square.fov, square.focal_35mm))
    same = unproject(square, np.array([[1800.0, 100.0]]), np.array([3.0]))
    assert unproject(wide, np.array([[900.0, 100.0]]), np.array([3.0])) == pytest.approx(same)
