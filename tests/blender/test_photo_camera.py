"""The photo's camera and Blender's own: any sensor fit, shift, shape and pixel aspect; metadata, crops and renders."""

import itertools

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

from tests.blender.synthetic_photo import garden, psnr, render, write_job

SHAPES = {"landscape": (320, 180), "portrait": (180, 300), "square": (200, 200)}


@pytest.fixture
def load(extension, tmp_path):
    load_depth = extension("marigold_blender.scene.depth_image").load_depth

    def load_photo(size, **job):
        return load_depth(write_job(tmp_path / "job", *garden(*size), **job))

    return load_photo


def new_camera(**properties) -> bpy.types.Object:
    data = bpy.data.cameras.new("camera")
    for name, value in properties.items():
        setattr(data, name, value)
    camera = bpy.data.objects.new("camera", data)
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    return camera


def set_render(size, aspect=(1.0, 1.0)) -> None:
    render = bpy.context.scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = *size, 100
    render.pixel_aspect_x, render.pixel_aspect_y = aspect


@pytest.mark.parametrize("fit", ["AUTO", "HORIZONTAL", "VERTICAL"])
@pytest.mark.parametrize("size", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("aspect", [(1.0, 1.0), (2.0, 1.0), (1.0, 1.6)])
def test_every_fit_shape_and_pixel_is_seen_as_blender_sees_it(extension, fit, size, aspect):
    camera = new_camera(lens=29.0, sensor_fit=fit, sensor_width=30.0, sensor_height=22.0, shift_x=0.13, shift_y=-0.21)
    set_render(size, aspect)
    bpy.context.view_layer.update()
    camera_of_object = extension("marigold_blender.scene.scene_camera").camera_of_object
    ours = camera_of_object(camera, *size, aspect[0] / aspect[1])
    project = extension("marigold_blender.geometry.unprojection").project
    for x, y, z in itertools.product((-1.0, 0.4), (-0.7, 1.1), (-2.0, -5.0)):
        u, v, distance = world_to_camera_view(bpy.context.scene, camera, Vector((x, y, z)))
        pixel, metric = project(ours, np.array([x, y, z]))
        assert pixel == pytest.approx((u * size[0], (1 - v) * size[1]), abs=2e-3)
        assert metric == pytest.approx(distance)


@pytest.mark.parametrize("size", SHAPES.values(), ids=SHAPES)
def test_the_scenes_camera_becomes_the_photos_and_back(load, size):
    image = load(size)
    new_camera(lens=44.0, sensor_fit="AUTO", shift_x=0.05, shift_y=0.1)
    set_render(size, (1.5, 1.0))
    bpy.ops.marigold.set_photo_camera("EXEC_DEFAULT", depth=image.name, source="SCENE")
    before = [getattr(image.marigold, name) for name in ("focal_px", "cx", "cy", "pixel_aspect")]
    assert before[3] == 1.5
    bpy.ops.marigold.build_mesh("EXEC_DEFAULT", depth=image.name, vertices=2000, match_render=True)
    scene = bpy.context.scene
    assert scene.render.pixel_aspect_x / scene.render.pixel_aspect_y == pytest.approx(1.5)
    assert scene.camera.data.marigold.depth == image
    scene.camera.data.marigold.depth = None  # a camera like any other: it alone must tell
    image.marigold.move(focal_px=1000.0, cx=0.0, cy=0.0, pixel_aspect=1.0)
    bpy.ops.marigold.set_photo_camera("EXEC_DEFAULT", depth=image.name, source="SCENE")
    after = [getattr(image.marigold, name) for name in ("focal_px", "cx", "cy", "pixel_aspect")]
    assert after == pytest.approx(before, rel=1e-5)


def test_wide_pixels_are_rendered_back(load, tmp_path):
    size = (160, 240)
    image = load(size)
    image.marigold.pixel_aspect = 2.0
    image.marigold.cx += 12.0
    bpy.ops.marigold.build_mesh("EXEC_DEFAULT", depth=image.name, vertices=40_000, match_render=True)
    seen = render(tmp_path / "seen.png")
    covered = seen[..., 3] > 0.5
    assert covered.mean() > 0.95
    assert psnr(seen[covered][:, :3], garden(*size)[0][covered]) >= 30


def test_a_crop_has_its_axis_where_the_whole_picture_had_it(load):
    image = load((160, 120), focal_px=100.0)  # by the 35 mm equivalent, as if the crop were the whole
    bpy.ops.marigold.set_photo_camera(
        "EXEC_DEFAULT", depth=image.name, source="CROP", width=640, height=480, left=400, top=30
    )
    properties = image.marigold
    assert (properties.focal_px, properties.cx, properties.cy) == pytest.approx((400.0, -80.0, 210.0))
    bpy.ops.marigold.set_photo_camera("EXEC_DEFAULT", depth=image.name, source="METADATA")
    assert (properties.focal_px, properties.cx, properties.cy) == pytest.approx((100.0, 80.0, 60.0))
    with pytest.raises(RuntimeError, match="does not fit"):
        bpy.ops.marigold.set_photo_camera(
            "EXEC_DEFAULT", depth=image.name, source="CROP", width=200, height=120, left=50
        )


def test_field_of_view_and_35_mm_equivalent_set_the_focal_length(load):
    properties = load((300, 400), focal_px=500.0).marigold
    properties.fov = np.radians(90)
    assert properties.focal_px == pytest.approx(200.0, rel=1e-5)
    properties.focal_35mm = 43.2666
    assert properties.focal_px == pytest.approx(500.0, rel=1e-5)
    assert np.degrees(properties.fov) == pytest.approx(2 * np.degrees(np.arctan(0.4)), rel=1e-5)


@pytest.mark.parametrize(
    ("source", "sentence"), [("METADATA", "hold no focal length"), ("SCENE", "is not a perspective camera")]
)
def test_where_nothing_is_told_it_says_so(load, source, sentence):
    image = load((160, 120))
    new_camera(type="ORTHO")
    set_render((160, 120))
    with pytest.raises(RuntimeError, match=sentence):
        bpy.ops.marigold.set_photo_camera("EXEC_DEFAULT", depth=image.name, source=source)


def test_the_depth_of_a_render_takes_the_renders_camera(extension, load):
    image = load((160, 120))
    new_camera(lens=50.0, shift_x=0.1)
    set_render((160, 120))
    extension("marigold_blender.scene.scene_camera").adopt_render_camera(bpy.context.scene, image)
    assert image.marigold.focal_px == pytest.approx(50 / 36 * 160)
    assert image.marigold.cx == pytest.approx(80 - 16)
    bpy.context.scene.camera = None
    extension("marigold_blender.scene.scene_camera").adopt_render_camera(bpy.context.scene, image)
    assert image.marigold.focal_px == pytest.approx(50 / 36 * 160)
