"""The operators as scripts call them: blocking, raising, and leaving nothing behind when they fail."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest

MODULE = "bl_ext.user_default.marigold_depth"
MOST_CALLS = 100_000  # that enabling may make: 74,000 today, about 75 ms


@pytest.fixture(autouse=True)
def scene_camera():
    """Something of the user's that must stay as it is."""
    camera = bpy.data.objects.new("mine", bpy.data.cameras.new("mine"))
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    bpy.context.scene.render.resolution_x = 123
    return camera


def data_names() -> set[str]:
    blocks = (bpy.data.objects, bpy.data.meshes, bpy.data.images, bpy.data.materials, bpy.data.cameras)
    return {f"{type(block).__name__} {data.name}" for block in blocks for data in block}


def test_photo_to_scene_makes_a_mesh_and_its_camera(china, scene_camera):
    assert bpy.ops.marigold.photo_to_scene(filepath=str(china), preset="DRAFT") == {"FINISHED"}

    mesh = bpy.context.view_layer.objects.active
    assert mesh.name == "china"
    assert mesh.select_get()
    assert len(mesh.data.vertices) >= 100_000  # of 270,000: the sky is cut
    assert mesh.users_collection[0].name == "china"
    depth = mesh.data.marigold.depth
    assert tuple(depth.size) == (640, 427)
    assert depth.marigold.model == "demo"
    assert depth.packed_file is not None
    # what is not asked for stays
    assert bpy.context.scene.camera == scene_camera
    assert bpy.context.scene.render.resolution_x == 123


def test_match_render_makes_the_scene_render_the_photo(china):
    bpy.ops.marigold.photo_to_scene(filepath=str(china), preset="DRAFT", match_render=True)
    scene = bpy.context.scene
    assert scene.camera.name == "china camera"
    assert (scene.render.resolution_x, scene.render.resolution_y) == (640, 427)
    assert scene.view_settings.view_transform == "Standard"


def test_estimate_depth_writes_its_files_where_it_is_told(china, tmp_path, capfd):
    bpy.ops.marigold.estimate_depth(filepath=str(china), preset="DRAFT", ensemble=2, output=str(tmp_path))
    expected = {"china_depth.exr", "china_depth.png", "china_preview.png", "china_uncertainty.exr", "china.json"}
    assert {path.name for path in tmp_path.iterdir()} == expected
    printed = capfd.readouterr().out
    assert all(str(tmp_path / name) in printed for name in expected)
    assert "china depth" in bpy.data.images
    assert not [thing for thing in bpy.data.objects if thing.name != "mine"]


def test_build_mesh_uses_the_depth_that_is_there(china):
    bpy.ops.marigold.estimate_depth(filepath=str(china), preset="DRAFT")
    bpy.ops.marigold.build_mesh(depth="china depth", mode="RELIEF", vertices=1000)
    mesh = bpy.context.view_layer.objects.active
    assert mesh.data.marigold.mode == "RELIEF"
    assert len(mesh.data.vertices) < 20_000  # edges are cut along the network's pixels however coarse the grid is


def test_near_and_far_move_the_vertices_at_once(china):
    bpy.ops.marigold.photo_to_scene(filepath=str(china), preset="DRAFT", vertices=1000)
    mesh = bpy.context.view_layer.objects.active.data
    before, depth = positions(mesh), mesh.marigold.depth.marigold
    near, far = depth.near, depth.far
    depth.far = 2 * far
    depth.near = 2 * near
    assert np.allclose(positions(mesh), 2 * before, rtol=1e-5)


def positions(mesh) -> np.ndarray:
    values = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.attributes["position"].data.foreach_get("vector", values)
    return values


@pytest.mark.parametrize("is_float", [False, True])
def test_an_image_of_this_file_is_a_source(china, is_float):
    image = bpy.data.images.new("painted", 96, 64, float_buffer=is_float)
    rows = np.ones((64, 96, 4), np.float32)
    rows[..., :3] = np.linspace(0.1, 0.9, 64, dtype=np.float32)[:, None, None]
    image.pixels.foreach_set(rows.ravel())
    bpy.ops.marigold.photo_to_scene(image="painted", preset="DRAFT", vertices=1000)
    depth = bpy.context.view_layer.objects.active.data.marigold.depth
    assert tuple(depth.size) == (96, 64)
    shown = depth.marigold.photo
    assert shown is not image
    assert shown.packed_file is not None


def test_an_image_keeps_its_way_up(china, tmp_path):
    """The photo of the result has the rows of the image it came from, not turned upside down."""
    image = bpy.data.images.load(str(china))
    bpy.ops.marigold.estimate_depth(image=image.name, preset="DRAFT")
    shown = bpy.data.images[f"{Path(image.name).stem} depth"].marigold.photo
    assert np.allclose(np.array(shown.pixels[:4000]), np.array(image.pixels[:4000]), atol=1 / 255)


def test_the_render_is_a_source_as_its_view_transform_shows_it(scene_camera):
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples = "CYCLES", 1
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 64, 48, 100
    if hasattr(scene.render, "compositor_device"):
        scene.render.compositor_device = "CPU"
    world = bpy.data.worlds.new("grey")
    scene.world = world
    if bpy.app.version < (5, 0, 0):
        world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
    scene.view_settings.view_transform = "AgX"
    scene.render.image_settings.file_format = "JPEG"
    bpy.ops.render.render()

    bpy.ops.marigold.estimate_depth(image="Render Result", preset="DRAFT")
    shown = bpy.data.images["Render depth"].marigold.photo
    assert tuple(shown.size) == (64, 48)
    assert 0.7 < shown.pixels[0] < 0.95  # AgX shows white light darker than white; Standard would show 1
    assert scene.render.image_settings.file_format == "JPEG"


BAD_CALLS = {
    "nothing chosen": (dict(), "Choose a photo first"),
    "both chosen": (dict(filepath="a.jpg", image="b"), "Choose a photo first"),
    "no such file": (dict(filepath="/nothing.jpg"), "There is no file"),
    "a folder": (dict(filepath="/tmp"), "is a folder"),
    "no such image": (dict(image="nothing"), "There is no image “nothing”"),
    "no such model": (dict(filepath="CHINA", model="nothing"), "There is no model “nothing”"),
    "no render": (dict(image="Render Result"), "There is no"),
}


@pytest.mark.parametrize(("arguments", "sentence"), BAD_CALLS.values(), ids=BAD_CALLS)
def test_bad_input_is_one_sentence_and_changes_nothing(china, arguments, sentence):
    before = data_names()
    arguments = {name: str(china) if value == "CHINA" else value for name, value in arguments.items()}
    with pytest.raises(RuntimeError, match=sentence) as caught:
        bpy.ops.marigold.photo_to_scene(**arguments)
    assert "Traceback" not in str(caught.value)
    assert data_names() == before


def test_an_image_without_pixels_is_refused():
    image = bpy.data.images.new("gone", 8, 8)
    image.source, image.filepath = "FILE", "/nothing.png"
    with pytest.raises(RuntimeError, match="has no pixels"):
        bpy.ops.marigold.estimate_depth(image="gone")


def test_an_image_of_a_few_pixels_is_refused():
    bpy.data.images.new("dot", 1, 1)
    with pytest.raises(RuntimeError, match="“dot” has only 1 × 1 pixels"):
        bpy.ops.marigold.estimate_depth(image="dot")


def test_build_mesh_wants_a_depth_image():
    bpy.data.images.new("photo", 8, 8)
    for name in ("photo", "nothing"):
        with pytest.raises(RuntimeError, match="is not a depth image"):
            bpy.ops.marigold.build_mesh(depth=name)


def test_a_missing_python_is_one_sentence(china, monkeypatch, extension):
    extension("operators.session").queue.stop_worker()
    monkeypatch.setenv("MARIGOLD_PYTHON", "/nothing/python")
    with pytest.raises(RuntimeError, match="There is no Python at “/nothing/python”"):
        bpy.ops.marigold.estimate_depth(filepath=str(china))


def test_an_unwritable_output_is_one_sentence(china, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(RuntimeError, match=r"[Ww]rit"):
        bpy.ops.marigold.estimate_depth(filepath=str(china), output=str(tmp_path / "file" / "out"))


def test_a_killed_worker_raises_and_the_next_call_works(china, extension):
    session = extension("operators.session")
    bpy.ops.marigold.estimate_depth(filepath=str(china), preset="DRAFT")
    os.kill(session.queue.worker_pid, signal.SIGKILL)
    bpy.ops.marigold.estimate_depth(filepath=str(china), preset="DRAFT", seed=3)


def test_free_memory_ends_the_worker(china, extension):
    queue = extension("operators.session").queue
    bpy.ops.marigold.estimate_depth(filepath=str(china), preset="DRAFT")
    pid = queue.worker_pid
    assert pid is not None
    bpy.ops.marigold.free_memory()
    assert queue.worker_pid is None
    assert not Path(f"/proc/{pid}").exists()


def test_cancel_without_a_job_says_so():
    with pytest.raises(RuntimeError, match="No job is running"):
        bpy.ops.marigold.cancel_job()


def test_every_operator_and_property_has_a_tooltip(extension):
    names = dir(bpy.ops.marigold)
    assert len(names) > 15
    for name in names:
        operator = getattr(bpy.ops.marigold, name).get_rna_type()
        assert operator.description, name
        for item in operator.properties:
            assert item.description or item.is_hidden or item.identifier == "rna_type", f"{name}.{item.identifier}"
    settings = bpy.types.Scene.bl_rna.properties["marigold"].fixed_type
    groups = [settings, settings.properties["training"].fixed_type]
    groups += [owner.bl_rna.properties["marigold"].fixed_type for owner in (bpy.types.Image, bpy.types.Mesh)]
    groups.append(extension("panels.preferences").MarigoldPreferences.bl_rna)
    for group in groups:
        for item in group.properties:
            assert item.description or item.identifier in ("rna_type", "name", "bl_idname"), item.identifier


def test_enabling_is_light(extension_zip, tmp_path):
    """Enabling imports neither torch nor diffusers, starts no process and no thread, and does little.

    What Python does is counted in calls, which are the same on a busy machine; seconds of the processor were not.
    """
    program = f"""
import json, os, subprocess, sys, threading
os.environ["BLENDER_USER_RESOURCES"] = {str(tmp_path)!r}
sys.dont_write_bytecode = False  # as in everyone's Blender
import bpy
bpy.ops.extensions.package_install_files(filepath={str(extension_zip)!r}, repo="user_default", enable_on_install=False)
bpy.ops.preferences.addon_enable(module={MODULE!r})  # compiles the bytecode
threads, before, calls = threading.active_count(), set(sys.modules), 0
bpy.ops.preferences.addon_disable(module={MODULE!r})
for name in [name for name in sys.modules if name.startswith({MODULE!r})]:
    del sys.modules[name]
def count(frame, event, argument):
    global calls
    calls += event == "call" or event == "c_call"
sys.setprofile(count)
bpy.ops.preferences.addon_enable(module={MODULE!r})
sys.setprofile(None)
heavy = [name for name in sys.modules if name.split(".")[0] in ("torch", "diffusers", "PIL", "OpenImageIO")]
children = open(f"/proc/{{os.getpid()}}/task/{{os.getpid()}}/children").read().split()
outside = [name for name in set(sys.modules) - before if name.split(".")[0] in ("marigold_blender", "operators")]
print("REPORT" + json.dumps([calls, heavy, children, threading.active_count() - threads, outside]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "REPORT" in done.stdout, done.stdout + done.stderr
    calls, heavy, children, threads, outside = json.loads(done.stdout.split("REPORT")[1])
    assert (heavy, children, threads, outside) == ([], [], 0, [])
    assert 1000 < calls < MOST_CALLS
