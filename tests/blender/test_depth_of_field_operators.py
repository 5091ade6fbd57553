"""`marigold.add_depth_of_field` and its family, as scripts call them; *Best* by a real worker."""

import bpy
import numpy as np
import pytest

from tests.blender.composited import composite
from tests.blender.synthetic_photo import garden, write_job

SIZE = (160, 120)


@pytest.fixture
def depth(extension, tmp_path):
    files = write_job(tmp_path, striped(), garden(*SIZE)[1], focal_px=150.0)
    return extension("marigold_blender.scene.depth_image").load_depth(files)


@pytest.fixture
def nodes(extension):
    return extension("marigold_blender.scene.depth_of_field_nodes")


def striped() -> np.ndarray:
    photo = garden(*SIZE)[0]
    photo[:, ::4] *= 0.3
    return photo


def linear(photo: np.ndarray) -> np.ndarray:
    return np.where(photo <= 0.04045, photo / 12.92, ((photo + 0.055) / 1.055) ** 2.4)


def detail(picture: np.ndarray, region: tuple[slice, slice]) -> float:
    """How sharp a part of a picture is: the mean step between its pixels."""
    return float(np.abs(np.diff(picture[region][..., :3], axis=1)).mean())


WALL, FEET = (slice(5, 30), slice(5, 150)), (slice(105, 118), slice(5, 150))


def test_the_nodes_are_added_updated_and_removed(depth, nodes):
    scene = bpy.context.scene
    done = bpy.ops.marigold.add_depth_of_field(
        depth=depth.name, focus=0.0, blur_percent=8.0, blades=5, match_render=True
    )
    assert done == {"FINISHED"}
    near_sharp = composite(scene)
    assert bpy.ops.marigold.add_depth_of_field(focus=1.0) == {"FINISHED"}
    far_sharp = composite(scene)
    assert detail(near_sharp, WALL) < 0.6 * detail(far_sharp, WALL)
    assert detail(far_sharp, FEET) < 0.6 * detail(near_sharp, FEET)
    node = nodes.find_pass(scene)
    assert node.inputs["Blur at Far"].default_value == pytest.approx(8.0)
    assert bpy.ops.marigold.remove_depth_of_field() == {"FINISHED"}
    assert nodes.find_pass(scene) is None


def test_a_new_pass_is_focused_on_the_middle(depth, nodes):
    bpy.ops.marigold.add_depth_of_field(depth=depth.name)
    at_middle = nodes.find_pass(bpy.context.scene).inputs["Focus"].default_value
    assert at_middle == pytest.approx(float(depth.pixels[(60 * SIZE[0] + 80) * 4]), abs=0.05)


def test_metres_and_f_stops_count_when_they_are_given(depth, nodes):
    depth.marigold.near, depth.marigold.far = 1.0, 5.0
    bpy.ops.marigold.add_depth_of_field(depth=depth.name, focus_distance=2.5, f_stop=0.05)
    node = nodes.find_pass(bpy.context.scene)
    assert node.inputs["Metric"].default_value == 1.0
    bpy.ops.marigold.add_depth_of_field(focus=0.5)
    assert node.inputs["Metric"].default_value == 0.0


def test_best_comes_from_the_worker_and_is_shown(depth, extension):
    scene = bpy.context.scene
    best = extension("marigold_blender.scene.depth_of_field_best")
    bpy.ops.marigold.add_depth_of_field(depth=depth.name, method="BEST", focus=1.0, blur_percent=8.0, match_render=True)
    assert best.is_best(scene)
    result = bpy.data.images["garden focused"]
    assert result.packed_file is not None
    assert best.depth_behind(result) == depth
    seen = composite(scene)
    sharp = linear(striped())
    assert np.abs(seen[WALL][..., :3] - sharp[WALL]).max() < 0.02
    assert detail(seen, FEET) < 0.5 * detail(sharp, FEET)

    bpy.ops.marigold.add_depth_of_field(focus=0.0)  # the method stays
    assert [image.name for image in bpy.data.images if "focused" in image.name] == ["garden focused"]
    assert detail(composite(scene), WALL) < 0.6 * detail(sharp, WALL)

    bpy.ops.marigold.add_depth_of_field(method="NODES")
    assert not best.is_best(scene)
    assert detail(composite(scene), WALL) < 0.8 * detail(sharp, WALL)


def test_best_and_nodes_agree_where_nothing_covers_anything(depth):
    """The same lens: on a slope without edges both methods give the same picture."""
    values = np.tile(np.linspace(0, 1, SIZE[0], dtype=np.float32), (SIZE[1], 1))
    pixels = np.repeat(values[..., None], 4, axis=2)
    depth.pixels.foreach_set(np.ascontiguousarray(pixels[::-1]).ravel())
    depth.update()
    arguments = {"focus": 0.4, "blur_percent": 5.0}
    bpy.ops.marigold.add_depth_of_field(depth=depth.name, match_render=True, **arguments)
    by_nodes = composite(bpy.context.scene)
    bpy.ops.marigold.add_depth_of_field(method="BEST", **arguments)
    by_worker = composite(bpy.context.scene)
    inner = (slice(10, -10), slice(10, -10), slice(0, 3))
    assert np.abs(by_nodes[inner] - by_worker[inner]).mean() < 0.01


def test_fog_is_the_same_by_both_methods(depth):
    scene = bpy.context.scene
    scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.camera.rotation_euler = (1.7, 0.1, 0.4)
    scene.collection.objects.link(scene.camera)
    bpy.context.view_layer.update()
    fog = {"fog_density": 0.6, "fog_start": 1.2, "fog_height": 0.4, "blur_percent": 0.0}
    bpy.ops.marigold.add_depth_of_field(depth=depth.name, match_render=True, **fog)
    by_nodes = composite(scene)
    bpy.ops.marigold.add_depth_of_field(method="BEST")
    inner = (slice(1, -1), slice(1, -1))  # at the border the nodes' small picture of rays ends half a pixel early
    assert np.abs(composite(scene) - by_nodes)[inner].max() < 0.01
    assert np.abs(by_nodes[..., :3] - linear(striped())).mean() > 0.05


def test_best_writes_the_file_that_was_asked_for(depth, tmp_path):
    target = tmp_path / "focused.png"
    bpy.ops.marigold.add_depth_of_field(depth=depth.name, method="BEST", focus=0.0, output=str(target))
    assert target.read_bytes().startswith(b"\x89PNG")
    assert bpy.data.images["garden focused"].filepath == str(target)


def test_focus_is_picked_racked_and_held_by_scripts(depth, nodes):
    scene = bpy.context.scene
    bpy.ops.marigold.add_depth_of_field(depth=depth.name)
    node = nodes.find_pass(scene)
    bpy.ops.marigold.pick_focus(x=0.5, y=0.97)
    assert node.inputs["Focus"].default_value > 0.9
    bpy.ops.marigold.rack_focus(frame_start=1, frame_end=10, focus_start=0.1, focus_end=0.8)
    scene.frame_set(10)
    assert node.inputs["Focus"].default_value == pytest.approx(0.8)
    scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(scene.camera)
    target = bpy.data.objects.new("target", None)
    target.location.z = -2.0
    scene.collection.objects.link(target)
    bpy.context.view_layer.update()
    bpy.ops.marigold.focus_on(target="OBJECT", object="target")
    scene.frame_set(3)
    assert node.inputs["Focus Distance"].default_value == pytest.approx(2.0)
    bpy.ops.marigold.focus_on(target="NONE")


def test_layered_fog_is_connected_when_asked_for(depth, nodes):
    bpy.ops.marigold.add_depth_of_field(depth=depth.name, fog_density=0.2, fog_height=1.0)
    node = nodes.find_pass(bpy.context.scene)
    assert node.inputs["Ray"].is_linked
    bpy.ops.marigold.level_fog()
    bpy.ops.marigold.remove_depth_of_field()


def test_bad_input_is_one_sentence_and_changes_nothing(depth, nodes):
    cases = (
        ({}, "There is no depth yet"),
        ({"depth": "nothing"}, "“nothing” is not a depth image"),
        ({"depth": depth.name, "focus_distance": 2.0, "f_stop": 0.0}, "F-Stop is 0"),
        ({"depth": depth.name, "focus": 3.0}, "Focus is 3"),
        ({"depth": depth.name, "focus_distance": 90.0}, "reaches from 1 to 4"),
    )
    for arguments, sentence in cases:
        with pytest.raises(RuntimeError, match=sentence) as failure:
            bpy.ops.marigold.add_depth_of_field(**arguments)
        assert "Traceback" not in str(failure.value)
        assert nodes.find_pass(bpy.context.scene) is None
    with pytest.raises(RuntimeError, match="has no depth of field"):
        bpy.ops.marigold.remove_depth_of_field()
    with pytest.raises(RuntimeError, match="Add depth of field first"):
        bpy.ops.marigold.pick_focus()
    bpy.ops.marigold.add_depth_of_field(depth=depth.name)
    with pytest.raises(RuntimeError, match="Nothing is seen at"):
        bpy.ops.marigold.pick_focus(x=1.5)
    with pytest.raises(RuntimeError, match="must end after"):
        bpy.ops.marigold.rack_focus(frame_start=9, frame_end=9)


def test_a_failed_worker_leaves_the_nodes(depth, nodes, extension, monkeypatch):
    monkeypatch.setenv("MARIGOLD_PYTHON", "/nowhere/python")
    session = extension("operators.session")
    session.queue.stop_worker()
    with pytest.raises(RuntimeError, match="There is no Python"):
        bpy.ops.marigold.add_depth_of_field(depth=depth.name, method="BEST", focus=0.0)
    assert nodes.find_pass(bpy.context.scene) is not None
    assert not extension("marigold_blender.scene.depth_of_field_best").is_best(bpy.context.scene)


def test_the_command_focuses_a_photo(extension, china, tmp_path, capsys):
    main = extension("operators.command").main
    target = tmp_path / "china.exr"
    arguments = ["dof", str(china), "--focus", "0.2", "--blur", "3", "--preset", "draft", "--output", str(target)]
    assert main(arguments) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(target)
    image = bpy.data.images.load(str(target))
    assert tuple(image.size) == (640, 427)
    assert image.is_float


def test_the_command_says_what_is_wrong(extension, china, tmp_path, capsys):
    main = extension("operators.command").main
    arguments = ["dof", str(china), "--focus-m", "2", "--fstop", "0", "--output", str(tmp_path / "out.png")]
    assert main(arguments) == 1
    assert "f-stop is 0" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
