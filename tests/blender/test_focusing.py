"""Focus by a point, an object, the camera and keyframes; the matched camera follows."""

import math

import bpy
import numpy as np
import pytest
from mathutils import Vector

from tests.blender.synthetic_photo import garden, write_job

SIZE = (96, 64)


@pytest.fixture
def focusing(extension):
    return extension("marigold_blender.scene.focusing")


@pytest.fixture
def drivers(extension):
    return extension("marigold_blender.scene.focus_drivers")


@pytest.fixture
def depth(extension, tmp_path):
    photo, values = garden(*SIZE)
    values[:, :32], values[:, 32:64], values[:, 64:] = 0.1, 0.5, 0.9
    return extension("marigold_blender.scene.depth_image").load_depth(write_job(tmp_path, photo, values, focal_px=90.0))


@pytest.fixture
def node(extension, depth):
    dof = extension("marigold_blender.scene.depth_of_field")
    return dof.add_pass(bpy.context.scene, depth, {"Blur at Far": 4.0})


def evaluated(node: bpy.types.Node, name: str) -> float:
    bpy.context.scene.frame_set(bpy.context.scene.frame_current)
    return node.inputs[name].default_value


def new_object(name: str, data=None) -> bpy.types.Object:
    made = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(made)
    return made


def test_a_point_of_the_photo_gives_its_depth_and_distance(focusing, node, depth):
    scene = bpy.context.scene
    depth.marigold.near, depth.marigold.far = 2.0, 12.0
    probe = focusing.DepthProbe(scene)
    assert probe.at(0.1, 0.5).depth == pytest.approx(0.1)
    assert probe.at(0.5, 0.9).distance == pytest.approx(7.0)
    assert probe.at(1.2, 0.5) is None
    focusing.set_focus(scene, probe.at(0.9, 0.1))
    assert node.inputs["Focus"].default_value == pytest.approx(0.9)
    assert node.inputs["Focus Distance"].default_value == pytest.approx(11.0)
    assert "11" in probe.at(0.9, 0.1).text


def test_the_matched_camera_gets_the_same_focus_and_the_same_blur(focusing, extension, node, depth):
    scene = bpy.context.scene
    build = extension("marigold_blender.scene.photo_scene")
    build.build_photo_scene(bpy.context, depth, build.PhotoSceneOptions())
    focusing.set_focus(scene, focusing.focus_at_depth(depth, 0.5))
    (camera,) = focusing.matched_cameras(scene)
    assert camera.dof.use_dof
    assert camera.dof.focus_distance == pytest.approx(2.5)
    f, sensor = camera.lens / 1000, camera.sensor_width / 1000  # the formula of Cycles' lens, by its own numbers
    strength = f**2 / (2 * camera.dof.aperture_fstop) * SIZE[0] / sensor
    assert strength * (1 / 1.0 - 1 / 4.0) == pytest.approx(0.04 * SIZE[0] / 2, rel=1e-3)


def test_keyframes_rack_the_focus(focusing, node, depth):
    scene = bpy.context.scene
    focusing.set_focus(scene, focusing.focus_at_depth(depth, 0.1), frame=1)
    focusing.set_focus(scene, focusing.focus_at_depth(depth, 0.9), frame=48)
    seen = []
    for frame in (1, 24, 48):
        scene.frame_set(frame)
        seen.append(node.inputs["Focus"].default_value)
    assert seen[0] == pytest.approx(0.1)
    assert 0.3 < seen[1] < 0.7
    assert seen[2] == pytest.approx(0.9)


def test_an_object_holds_the_focus_wherever_it_goes(drivers, node, depth):
    scene = bpy.context.scene
    scene.camera = new_object("camera", bpy.data.cameras.new("camera"))
    scene.camera.location, scene.camera.rotation_euler = (1.0, -2.0, 0.5), (1.1, 0.3, -0.7)
    target = new_object("target")
    drivers.focus_on_object(scene, target)
    for place in ((2.0, 1.0, 1.5), (0.0, 4.0, -3.0)):
        target.location = place
        bpy.context.view_layer.update()
        seen = evaluated(node, "Focus Distance")
        world = scene.camera.matrix_world
        expected = abs((world.inverted() @ Vector(place)).z)
        assert seen == pytest.approx(expected, rel=1e-4)
        assert evaluated(node, "Focus") == pytest.approx(min(max((expected - 1) / 3, 0), 1), abs=1e-4)
    depth.marigold.far = 9.0
    assert evaluated(node, "Focus") == pytest.approx(min(max((expected - 1) / 8, 0), 1), abs=1e-4)
    assert drivers.is_focus_driven(node)
    drivers.remove_focus_driver(scene)
    assert not drivers.is_focus_driven(node)


def test_the_camera_holds_the_focus(drivers, focusing, node):
    scene = bpy.context.scene
    scene.camera = new_object("camera", bpy.data.cameras.new("camera"))
    drivers.focus_as_camera(scene)
    scene.camera.data.dof.focus_distance = 2.75
    assert evaluated(node, "Focus Distance") == pytest.approx(2.75)
    focusing.set_focus(scene, focusing.Focus(1.5, 0.2))  # a pick takes over
    scene.camera.data.dof.focus_distance = 3.0
    assert evaluated(node, "Focus Distance") == pytest.approx(1.5)
    target = new_object("target")
    target.location = (0, 0, -3.5)
    scene.camera.data.dof.focus_object = target
    drivers.focus_as_camera(scene)
    bpy.context.view_layer.update()
    assert evaluated(node, "Focus Distance") == pytest.approx(3.5)


def test_in_a_render_a_ray_finds_the_distance(extension, focusing):
    scene = bpy.context.scene
    camera = scene.camera = new_object("camera", bpy.data.cameras.new("camera"))
    camera.rotation_euler = (math.radians(90), 0, 0)  # looks along +Y
    mesh = bpy.data.meshes.new("wall")
    mesh.from_pydata([(-9, 6, -9), (9, 6, -9), (9, 6, 0.5), (-9, 6, 0.5)], [], [(0, 1, 2, 3)])
    new_object("wall", mesh)
    bpy.context.view_layer.update()
    dof = extension("marigold_blender.scene.depth_of_field")
    dof.add_pass(scene, None, {})
    probe = focusing.DepthProbe(scene)
    assert probe.at(0.2, 0.3).distance == pytest.approx(6.0, rel=1e-4)  # planar: the same all over the wall
    assert probe.at(0.5, 0.5).distance == pytest.approx(6.0, rel=1e-4)
    assert probe.at(0.5, 0.99) is None
    assert probe.at(0.5, 0.5).depth is None


def test_without_a_pass_or_a_camera_it_is_one_sentence(extension, focusing, drivers, depth):
    error = extension("marigold_blender.errors").MarigoldError
    scene = bpy.context.scene
    with pytest.raises(error, match="has no depth of field"):
        focusing.DepthProbe(scene)
    dof = extension("marigold_blender.scene.depth_of_field")
    dof.add_pass(scene, depth, {})
    with pytest.raises(error, match="has no camera"):
        drivers.focus_as_camera(scene)
    scene.camera = new_object("camera", bpy.data.cameras.new("camera"))
    with pytest.raises(error, match="focused on itself"):
        drivers.focus_on_object(scene, scene.camera)


def test_a_pixel_and_its_ray_are_the_same_place(extension, depth):
    unproject = extension("marigold_blender.geometry.unprojection").unproject
    camera = extension("marigold_blender.scene.following").camera_of(depth)
    pixel = np.array([20.0, 50.0])
    x, y, z = unproject(camera, pixel, np.array(1.0))
    u, v = extension("marigold_blender.scene.camera_places").photo_point(depth, x / -z, y / -z)
    assert (u * SIZE[0], (1 - v) * SIZE[1]) == pytest.approx(tuple(pixel))
