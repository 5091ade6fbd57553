"""The depth-of-field pass: exact against the thin lens, and a guest in the user's compositing."""

import math

import bpy
import numpy as np
import pytest

from tests.blender.composited import composite
from tests.blender.synthetic_photo import garden, write_job
from tests.spots import radius_of_spot

SIZE = (96, 64)  # width, height


@pytest.fixture
def dof(extension):
    return extension("marigold_blender.scene.depth_of_field")


@pytest.fixture
def nodes(extension):
    return extension("marigold_blender.scene.depth_of_field_nodes")


@pytest.fixture
def compositor(extension):
    return extension("marigold_blender.scene.compositor")


@pytest.fixture
def error(extension):
    return extension("marigold_blender.errors").MarigoldError


@pytest.fixture
def thin_lens(extension):
    return extension("marigold_blender.geometry.thin_lens").ThinLens


@pytest.fixture
def depth(extension, tmp_path):
    """A photo of one white pixel on black, before a depth of four upright stripes."""
    photo = np.zeros((SIZE[1], SIZE[0], 3), np.float32)
    photo[32, 48] = 1.0
    stripes = np.repeat(np.array([0.0, 0.3, 0.6, 1.0], np.float32), SIZE[0] // 4)
    values = np.tile(stripes, (SIZE[1], 1))
    files = write_job(tmp_path, photo, values, focal_px=100.0)
    return extension("marigold_blender.scene.depth_image").load_depth(files)


def set_depth(image: bpy.types.Image, value: float) -> None:
    pixels = np.full(SIZE[0] * SIZE[1] * 4, value, np.float32)
    image.pixels.foreach_set(pixels)
    image.update()


def show(compositor, scene: bpy.types.Scene, node: bpy.types.Node, output: str) -> np.ndarray:
    """What an output of the pass gives, by sending it to the render for once: [H, W]."""
    socket = compositor.output_socket(compositor.compositing_tree(scene))
    node.id_data.links.new(node.outputs[output], socket)
    picture = composite(scene)[..., 0]
    node.id_data.links.new(node.outputs["Image"], socket)
    return picture


def test_the_radius_is_that_of_the_thin_lens(dof, compositor, thin_lens, depth):
    scene = bpy.context.scene
    node = dof.add_pass(scene, depth, {"Focus": 0.3, "Blur at Far": 5.0}, match_render=True)
    distance = 1.0 + np.array([0.0, 0.3, 0.6, 1.0]) * 3.0
    radius = show(compositor, scene, node, "Blur Radius")[10, 12::24]
    lens = thin_lens.from_blur(0.3, 5.0, SIZE[0], 1.0, 4.0)
    assert radius == pytest.approx(np.abs(lens.radius_px(distance)), rel=1e-4, abs=1e-5)

    depth.marigold.near, depth.marigold.far = 2.0, 10.0
    depth.marigold.calibrated = "CALIBRATED"
    dof.add_pass(scene, depth, {"Focus Distance": 3.0, "F-Stop": 0.5})
    radius = show(compositor, scene, node, "Blur Radius")[10, 12::24]
    lens = thin_lens.from_f_stop(3.0, 0.5, focal_px=100.0, width=SIZE[0], sensor_mm=36.0)
    assert radius == pytest.approx(np.abs(lens.radius_px(2.0 + np.array([0.0, 0.3, 0.6, 1.0]) * 8.0)), rel=1e-4)
    assert show(compositor, scene, node, "Distance")[10, 12::24] == pytest.approx([2.0, 4.4, 6.8, 10.0])


@pytest.mark.parametrize("value", [0.45, 0.7, 1.0, 0.1])
def test_a_point_of_light_becomes_a_disc_of_that_radius(dof, compositor, depth, value):
    scene = bpy.context.scene
    node = dof.add_pass(scene, depth, {"Focus": 0.3, "Blur at Far": 20.0}, match_render=True)
    set_depth(depth, value)
    expected = show(compositor, scene, node, "Blur Radius")[0, 0]
    spot = composite(scene)[..., 0]
    assert expected > 0.4
    assert radius_of_spot(spot) == pytest.approx(expected, abs=max(0.5, 0.03 * expected))
    assert spot.sum() == pytest.approx(1.0, rel=1e-3)


def test_what_is_in_focus_is_not_touched(dof, extension, tmp_path):
    photo, values = garden(*SIZE)
    depth = extension("marigold_blender.scene.depth_image").load_depth(write_job(tmp_path, photo, values))
    scene = bpy.context.scene
    dof.add_pass(scene, depth, {"Focus": 0.5, "Blur at Far": 0.0}, match_render=True)
    linear = np.where(photo <= 0.04045, photo / 12.92, ((photo + 0.055) / 1.055) ** 2.4)
    assert np.abs(composite(scene)[..., :3] - linear).max() < 1e-2  # the photo has 8 bits


def test_adding_again_updates_and_never_duplicates(dof, extension, compositor, depth):
    scene = bpy.context.scene
    first = dof.add_pass(scene, depth, {"Focus": 0.2, "Blur at Far": 7.0}, dof.Aperture(6, 0.2, 9.0))
    count = len(compositor.compositing_tree(scene).nodes)
    second = dof.add_pass(scene, depth, {"Focus": 0.8})
    assert first == second
    assert len(compositor.compositing_tree(scene).nodes) == count
    assert [group.name for group in bpy.data.node_groups if group.name.startswith("Marigold")] == [
        "Marigold Depth of Field"
    ]
    assert second.inputs["Focus"].default_value == pytest.approx(0.8)
    assert second.inputs["Blur at Far"].default_value == pytest.approx(7.0)
    aperture = extension("marigold_blender.scene.depth_of_field_group").aperture_of(second.node_tree)
    assert (aperture.blades, aperture.max_blur_px) == pytest.approx((6, 9.0))
    assert aperture.rotation == pytest.approx(0.2, abs=1e-5)


def test_removing_restores_a_scene_without_compositing(dof, nodes, compositor, depth):
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y, scene.view_settings.exposure = 640, 480, 0.7
    scene.render.use_compositing = False
    before = len(bpy.data.node_groups)
    dof.add_pass(scene, depth, {}, match_render=True)
    assert (scene.render.resolution_x, scene.view_settings.view_transform) == (SIZE[0], "Standard")
    assert scene.render.use_compositing
    dof.remove_pass(scene)
    assert compositor.compositing_tree(scene) is None
    assert len(bpy.data.node_groups) == before
    assert (scene.render.resolution_x, scene.render.resolution_y) == (640, 480)
    assert scene.view_settings.exposure == pytest.approx(0.7)
    assert scene.view_settings.view_transform != "Standard"
    assert not scene.render.use_compositing


def test_the_users_compositing_stays_and_is_extended_at_its_end(dof, compositor, depth):
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    tree = compositor.create_compositing(scene)
    mine = tree.nodes.new("CompositorNodeImage")
    mine.image = depth.marigold.photo
    invert = tree.nodes.new("CompositorNodeInvert")
    tree.links.new(mine.outputs[0], invert.inputs["Color"])
    output = compositor.output_socket(tree)
    tree.links.new(invert.outputs[0], output)
    before = composite(scene)
    node = dof.add_pass(scene, depth, {"Blur at Far": 0.0})
    assert node.inputs["Image"].links[0].from_node == invert
    assert output.links[0].from_node == node
    assert np.abs(composite(scene) - before).max() < 1e-6
    dof.add_pass(scene, depth, {"Blur at Far": 30.0, "Focus": 0.0})
    assert np.abs(composite(scene) - before).max() > 0.1
    dof.remove_pass(scene)
    assert output.links[0].from_node == invert
    assert {other.name for other in tree.nodes} == {mine.name, invert.name, output.node.name}
    assert np.abs(composite(scene) - before).max() < 1e-6


def test_changed_distances_reach_the_pass(dof, nodes, depth):
    node = dof.add_pass(bpy.context.scene, depth, {})
    depth.marigold.near = 2.5
    depth.marigold.far = 30.0
    depth.marigold.focal_px = 200.0
    values = {name: node.inputs[name].default_value for name in ("Near", "Far", "Focal Length")}
    assert values == pytest.approx({"Near": 2.5, "Far": 30.0, "Focal Length": 200.0 / SIZE[0] * 36.0})


def cubes(scene: bpy.types.Scene) -> None:
    """A near and a far plane before a camera that looks down."""
    data = bpy.data.cameras.new("camera")
    camera = bpy.data.objects.new("camera", data)
    scene.collection.objects.link(camera)
    scene.camera = camera
    data.lens, data.sensor_width, data.clip_end = 40.0, 30.0, 1000.0
    for z, x in ((-3.0, -1.0), (-12.0, 4.0)):
        mesh = bpy.data.meshes.new("plane")
        mesh.from_pydata([(-1, -9, 0), (1, -9, 0), (1, 9, 0), (-1, 9, 0)], [], [(0, 1, 2, 3)])
        plane = bpy.data.objects.new("plane", mesh)
        plane.location, plane.scale = (x, 0.0, z), (-x, 1.0, 1.0)
        scene.collection.objects.link(plane)
    scene.render.engine, scene.cycles.samples, scene.cycles.device = "CYCLES", 1, "CPU"
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = *SIZE, 100


def test_a_render_is_focused_by_its_own_z_pass(dof, compositor, thin_lens):
    scene = bpy.context.scene
    cubes(scene)
    scene.view_layers[0].use_pass_z = False
    node = dof.add_pass(scene, None, {"Focus Distance": 5.0, "F-Stop": 0.2})
    assert scene.view_layers[0].use_pass_z
    radius = show(compositor, scene, node, "Blur Radius")
    lens = thin_lens.from_f_stop(5.0, 0.2, focal_px=40.0 / 30.0 * SIZE[0], width=SIZE[0], sensor_mm=30.0)
    near, far, sky = np.abs(lens.radius_px(np.array([3.0, 12.0, 1e10])))
    assert radius[32, 20] == pytest.approx(near, rel=1e-4)
    assert radius[32, 80] == pytest.approx(far, rel=1e-4)
    assert sky == pytest.approx(lens.strength / 5.0, rel=1e-4)
    dof.remove_pass(scene)
    assert not scene.view_layers[0].use_pass_z


def test_fog_swallows_light_by_beer_and_lambert(dof, depth):
    scene = bpy.context.scene
    fog = {"Fog Density": 0.4, "Fog Start": 1.5, "Blur at Far": 0.0}
    node = dof.add_pass(scene, depth, fog, match_render=True)
    node.inputs["Fog Color"].default_value = (0.2, 0.5, 0.9, 1.0)
    seen = composite(scene)[5, 12::24, :3]  # the photo is black there
    swallowed = 1 - np.exp(-0.4 * np.maximum(np.array([1.0, 1.9, 2.8, 4.0]) - 1.5, 0.0))
    assert seen == pytest.approx(swallowed[:, None] * np.array([0.2, 0.5, 0.9]), abs=1e-4)


def test_layered_fog_thins_upwards_as_its_integral_says(dof, depth):
    """Against the sum over small steps of the ray."""
    scene = bpy.context.scene
    node = dof.add_pass(scene, depth, {"Fog Density": 0.5, "Fog Height": 0.3, "Blur at Far": 0.0}, match_render=True)
    node.inputs["Fog Color"].default_value = (1.0, 1.0, 1.0, 1.0)
    dof.connect_fog_ray(scene, None)
    seen = composite(scene)[..., 0]
    for row in (3, 30, 60):
        for column, distance in ((12, 1.0), (36, 1.9), (84, 4.0)):
            x, y = (column + 0.5 - 48) / 100, (32 - row - 0.5) / 100
            along = (np.arange(2000) + 0.5) / 2000 * distance
            way = math.sqrt(1 + x * x + y * y) * distance / 2000
            depth_of_fog = (0.5 * np.exp(-along * y / 0.3)).sum() * way
            assert seen[row, column] == pytest.approx(1 - math.exp(-depth_of_fog), abs=0.01)


def test_mattes_divide_the_picture_by_distance(dof, compositor, depth):
    scene = bpy.context.scene
    values = {"Mask Near": 1.5, "Mask Far": 3.5, "Mask Softness": 0.01}
    node = dof.add_pass(scene, depth, values, match_render=True)
    mattes = {name: show(compositor, scene, node, name)[10, 12::24] for name in ("Near Matte", "Mask", "Far Matte")}
    assert mattes["Near Matte"] == pytest.approx([1, 0, 0, 0])
    assert mattes["Mask"] == pytest.approx([0, 1, 1, 0])
    assert mattes["Far Matte"] == pytest.approx([0, 0, 0, 1])


def test_focus_peaking_marks_sharp_edges_only(dof, depth, extension, tmp_path):
    photo = np.full((SIZE[1], SIZE[0], 3), 0.1, np.float32)
    photo[:, ::6] = 0.9
    files = write_job(tmp_path / "striped", photo, np.tile(np.linspace(0, 1, SIZE[0], dtype=np.float32), (SIZE[1], 1)))
    striped = extension("marigold_blender.scene.depth_image").load_depth(files)
    scene = bpy.context.scene
    dof.add_pass(scene, striped, {"Focus": 0.0, "Blur at Far": 20.0, "Focus Peaking": 1.0}, match_render=True)
    seen = composite(scene)
    redness = seen[..., 0] - seen[..., 2]
    assert redness[30, 1:12].max() > 0.5
    assert np.abs(redness[30, 60:]).max() < 1e-4


def test_alpha_is_kept(dof, extension, tmp_path):
    photo, values = garden(*SIZE)
    alpha = np.ones((SIZE[1], SIZE[0], 1), np.float32)
    alpha[:, :30] = 0.0
    files = write_job(tmp_path, np.concatenate([photo, alpha], axis=2), values, valid=alpha[..., 0] > 0)
    depth = extension("marigold_blender.scene.depth_image").load_depth(files)
    scene = bpy.context.scene
    dof.add_pass(scene, depth, {"Focus": 0.0, "Blur at Far": 10.0, "Fog Density": 0.3}, match_render=True)
    seen = composite(scene)
    assert seen[30, 5] == pytest.approx([0.0, 0.0, 0.0, 0.0], abs=1e-5)
    assert seen[30, 70, 3] == pytest.approx(1.0)


def test_bad_input_is_one_sentence_and_changes_nothing(dof, nodes, compositor, error, depth):
    scene = bpy.context.scene
    plain = bpy.data.images.new("plain", 8, 8)
    cases = (
        (plain, {}, "not a depth image"),
        (None, {}, "has no camera"),
        (depth, {"F-Stop": 0.0}, "F-Stop is 0"),
        (depth, {"Focus": 1.5}, "Focus is 1.5"),
        (depth, {"Focus Distance": -2.0}, "Focus Distance is -2"),
        (depth, {"Near": 4.0, "Far": 2.0}, "must lie beyond near"),
        (depth, {"Bokeh": 1.0}, "no “Bokeh”"),
    )
    for image, values, sentence in cases:
        with pytest.raises(error) as failure:
            dof.add_pass(scene, image, values)
        assert failure.value.kind == "bad_input"
        assert sentence in failure.value.message
        assert compositor.compositing_tree(scene) is None
    depth.marigold.photo.scale(48, 32)
    with pytest.raises(error, match="48 × 32 pixels but “garden depth” 96 × 64"):
        dof.add_pass(scene, depth, {})
    assert compositor.compositing_tree(scene) is None
    with pytest.raises(error, match="has no depth of field"):
        dof.remove_pass(scene)


def test_a_blender_without_the_nodes_is_one_sentence_and_changes_nothing(
    dof, extension, compositor, error, depth, monkeypatch
):
    """As a later version may take a node away."""
    scene = bpy.context.scene
    groups = len(bpy.data.node_groups)

    def new_gone(tree):
        return compositor.new_node(tree, "CompositorNodeOfTheFuture")

    monkeypatch.setattr(extension("marigold_blender.scene.depth_of_field_group"), "new_defocus", new_gone)
    with pytest.raises(error, match="update the extension"):
        dof.add_pass(scene, depth, {})
    assert compositor.compositing_tree(scene) is None
    assert len(bpy.data.node_groups) == groups


@pytest.mark.skipif(bpy.app.version < (5, 0, 0), reason="from 5.0 a scene's compositing is a group with outputs")
def test_compositing_without_an_output_gets_one(dof, depth):
    scene = bpy.context.scene
    scene.compositing_node_group = bpy.data.node_groups.new("empty", "CompositorNodeTree")
    dof.add_pass(scene, depth, {"Blur at Far": 0.0}, match_render=True)
    assert composite(scene)[32, 48, 0] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.skipif(bpy.app.version < (5, 0, 0), reason="until 5.0 each scene has a compositing tree of its own")
def test_compositing_that_another_scene_uses_too_is_left_alone(dof, compositor, error, depth):
    scene = bpy.context.scene
    tree = compositor.create_compositing(scene)
    other = bpy.data.scenes.new("other")
    other.compositing_node_group = tree
    with pytest.raises(error, match="also in use by the scene “other”"):
        dof.add_pass(scene, depth, {})
    assert len(tree.nodes) == 0


def test_a_linked_scene_is_left_alone(dof, error, depth, tmp_path):
    linked = bpy.data.scenes.new("Linked")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"), copy=True)
    bpy.data.scenes.remove(linked)
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (_, wanted):
        wanted.scenes = ["Linked"]
    with pytest.raises(error, match="comes from another file"):
        dof.add_pass(bpy.data.scenes["Linked"], depth, {})


def test_it_survives_saving_and_works_without_the_extension(dof, nodes, depth, tmp_path):
    scene = bpy.context.scene
    dof.add_pass(scene, depth, {"Focus": 0.0, "Blur at Far": 20.0}, match_render=True)
    before = composite(scene)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "saved.blend"))
    scene = bpy.context.scene
    assert np.abs(composite(scene) - before).max() < 1e-6
    node = nodes.find_pass(scene)
    assert node.inputs["Blur at Far"].default_value == pytest.approx(20.0)
    dof.remove_pass(scene)
    assert nodes.find_pass(scene) is None
