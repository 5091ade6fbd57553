"""Clips and renders: depth frame by frame, a focus that racks, and *Best* beside each saved render."""

import json
import os
from pathlib import Path

import bpy
import numpy as np
import pytest

from tests.blender.composited import composite, quiet
from tests.blender.synthetic_photo import write_exr, write_png

SIZE = (64, 48)
FIRST, LAST = 3, 6
LEFT, RIGHT = (slice(8, 40), slice(6, 28)), (slice(8, 40), slice(38, 60))


@pytest.fixture
def clip(tmp_path) -> Path:
    """Numbered frames of stripes that move."""
    folder = tmp_path / "shot"
    folder.mkdir()
    for number in range(FIRST, LAST + 1):
        photo = np.full((SIZE[1], SIZE[0], 3), 0.2, np.float32)
        photo[:, number % 4 :: 4] = 0.8
        write_png(folder / f"shot_{number:04}.png", photo)
    return folder


@pytest.fixture
def depth(extension, clip, tmp_path) -> bpy.types.Image:
    """The clip's depth as the worker writes it: left near, right far."""
    sequence = extension("marigold_blender.scene.depth_sequence")
    record = extension("marigold_blender.record").DepthRecord
    folder = tmp_path / "depth"
    folder.mkdir()
    values = np.zeros((SIZE[1], SIZE[0]), np.float32)
    values[:, SIZE[0] // 2 :] = 1.0
    for number in range(FIRST, LAST + 1):
        write_exr(folder / f"shot_{number:04}_depth.exr", values)
    about = record("shot", *SIZE, "demo", "", {}, SIZE, str(clip), "").to_json()
    (folder / "shot_depth.json").write_text(json.dumps({"format": 1, "method": "independent", "record": about}))
    return sequence.load_depth_sequence(folder / "shot_depth.json", clip)


def detail(picture: np.ndarray, region: tuple[slice, slice]) -> float:
    return float(np.abs(np.diff(picture[region][..., :3], axis=1)).mean())


def test_the_depth_of_a_clip_plays_with_it(depth, extension):
    scene = bpy.context.scene
    assert extension("marigold_blender.scene.depth_sequence").frames_of(depth) == (FIRST, LAST)
    camera = extension("marigold_blender.scene.following").camera_of(depth)  # before any frame was shown
    assert (camera.width, camera.height, camera.cx, camera.cy) == (*SIZE, SIZE[0] / 2, SIZE[1] / 2)
    assert camera.focal_px == pytest.approx(SIZE[0] / 2 / np.tan(np.radians(55) / 2), rel=1e-5)
    bpy.ops.marigold.add_depth_of_field(depth=depth.name, focus=0.0, blur_percent=6.0, match_render=True)
    assert (scene.frame_start, scene.frame_end, scene.render.resolution_x) == (FIRST, LAST, SIZE[0])
    for number in (3, 6):
        scene.frame_set(number)
        seen = composite(scene)[20, 6:28, 0]
        assert (int(np.argmax(seen)) + 6) % 4 == number % 4  # the frame's own stripes
    bpy.ops.marigold.remove_depth_of_field()
    assert scene.frame_end == 250


def test_a_rack_focus_is_rendered_frame_by_frame(depth, tmp_path):
    scene = bpy.context.scene
    bpy.ops.marigold.add_depth_of_field(depth=depth.name, blur_percent=6.0, match_render=True)
    bpy.ops.marigold.rack_focus(frame_start=FIRST, frame_end=LAST, focus_start=0.0, focus_end=1.0)
    sharp = {}
    for number in (FIRST, LAST):
        scene.frame_set(number)
        picture = composite(scene)
        sharp[number] = detail(picture, LEFT), detail(picture, RIGHT)
    assert sharp[FIRST][0] > 2 * sharp[FIRST][1]
    assert sharp[LAST][1] > 2 * sharp[LAST][0]


def test_best_of_a_clip_comes_from_the_worker(depth, tmp_path):
    scene = bpy.context.scene
    bpy.ops.marigold.add_depth_of_field(depth=depth.name, blur_percent=6.0, match_render=True)
    bpy.ops.marigold.rack_focus(frame_start=FIRST, frame_end=LAST, focus_start=0.0, focus_end=1.0)
    out = tmp_path / "focused" / "f_####.exr"
    assert bpy.ops.marigold.add_depth_of_field(method="BEST", output=str(out)) == {"FINISHED"}
    assert sorted(path.name for path in out.parent.glob("*.exr")) == [f"f_{n:04}.exr" for n in range(FIRST, LAST + 1)]
    for number, sharper, softer in ((FIRST, LEFT, RIGHT), (LAST, RIGHT, LEFT)):
        scene.frame_set(number)
        picture = composite(scene)
        assert detail(picture, sharper) > 2 * detail(picture, softer)


def test_the_operator_estimates_a_clip(extension, clip, tmp_path):
    done = bpy.ops.marigold.estimate_clip(filepath=str(clip), output=str(tmp_path / "d"), steps=1, resolution=64)
    assert done == {"FINISHED"}
    image = next(image for image in bpy.data.images if image.marigold.record)
    assert image.source == "SEQUENCE"
    assert image.marigold.photo.source == "SEQUENCE"
    assert len(list((tmp_path / "d").glob("*_depth.exr"))) == LAST - FIRST + 1
    record = next((tmp_path / "d").glob("*_depth.json"))
    assert json.loads(record.read_text())["method"] == "steady"
    alone = {"output": str(tmp_path / "d"), "steps": 1, "resolution": 64, "steady": False}
    assert bpy.ops.marigold.estimate_clip(filepath=str(clip), **alone) == {"FINISHED"}
    assert json.loads(record.read_text())["method"] == "independent"
    with pytest.raises(RuntimeError, match="There is no clip"):
        bpy.ops.marigold.estimate_clip(filepath=str(tmp_path / "none"))
    with pytest.raises(RuntimeError, match="Choose a clip first"):
        bpy.ops.marigold.estimate_clip()


def test_an_editor_that_shows_the_clip_shows_it_with_its_depth(extension, clip, tmp_path):
    shown = bpy.data.images.load(str(clip / f"shot_{FIRST:04}.png"))
    shown.source = "SEQUENCE"
    area = bpy.context.window_manager.windows[0].screen.areas[0]
    area.type = "IMAGE_EDITOR"
    area.spaces.active.image = shown
    pattern = extension("marigold_blender.scene.depth_sequence").file_pattern(shown)
    assert pattern == clip / "shot_####.png"
    bpy.ops.marigold.estimate_clip(filepath=str(pattern), output=str(tmp_path / "d"), steps=1, resolution=64)
    depth = next(image for image in bpy.data.images if image.marigold.record)
    assert area.spaces.active.image == depth.marigold.photo != shown
    assert area.spaces.active.image_user.frame_duration == LAST


def render_scene() -> bpy.types.Scene:
    """A striped near and a striped far wall."""
    scene = bpy.context.scene
    data = bpy.data.cameras.new("camera")
    scene.camera = bpy.data.objects.new("camera", data)
    scene.collection.objects.link(scene.camera)
    data.lens, data.sensor_width = 40.0, 36.0
    for side, distance in ((-1, 2.0), (1, 8.0)):
        mesh = bpy.data.meshes.new("stripes")
        step = distance / 45
        corners, faces = [], []
        for index in range(0, 40, 2):
            x = side * (0.002 + index * step)
            start = len(corners)
            corners += [
                (x, -9, -distance),
                (x + side * step, -9, -distance),
                (x + side * step, 9, -distance),
                (x, 9, -distance),
            ]
            faces.append((start, start + 1, start + 2, start + 3))
        mesh.from_pydata(corners, [], faces)
        material = bpy.data.materials.new("light")
        if bpy.app.version < (5, 0, 0):
            material.use_nodes = True
        material.node_tree.nodes["Principled BSDF"].inputs["Emission Color"].default_value = (1, 1, 1, 1)
        material.node_tree.nodes["Principled BSDF"].inputs["Emission Strength"].default_value = 1.0
        mesh.materials.append(material)
        scene.collection.objects.link(bpy.data.objects.new("stripes", mesh))
        backing = bpy.data.meshes.new("backing")
        far = distance * 1.01
        backing.from_pydata(
            [(0, -9, -far), (side * 9, -9, -far), (side * 9, 9, -far), (0, 9, -far)], [], [(0, 1, 2, 3)]
        )
        scene.collection.objects.link(bpy.data.objects.new("backing", backing))
    scene.render.engine, scene.cycles.samples, scene.cycles.device = "CYCLES", 4, "CPU"
    scene.cycles.use_denoising = False
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = *SIZE, 100
    scene.render.compositor_device = "CPU"
    scene.view_settings.view_transform = "Standard"
    return scene


def read(path: Path) -> np.ndarray:
    image = bpy.data.images.load(str(path))
    pixels = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(pixels)
    rows = pixels.reshape(image.size[1], image.size[0], 4)[::-1]
    bpy.data.images.remove(image)
    return rows


def test_best_focuses_each_render_that_is_saved(tmp_path):
    scene = render_scene()
    bpy.ops.marigold.add_depth_of_field(method="BEST", f_stop=0.12)
    bpy.ops.marigold.rack_focus(frame_start=1, frame_end=2, focus_start=2.0, focus_end=8.0)
    scene.frame_start, scene.frame_end = 1, 2
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(tmp_path / "shot_")
    with quiet():
        bpy.ops.render.render(animation=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "shot_0001.png",
        "shot_0001_dof.exr",
        "shot_0001_dof.png",
        "shot_0002.png",
        "shot_0002_dof.exr",
        "shot_0002_dof.png",
    ]
    sharp = read(tmp_path / "shot_0001.png")
    near, far = read(tmp_path / "shot_0001_dof.png"), read(tmp_path / "shot_0002_dof.png")
    left, right = (slice(8, 40), slice(4, 28)), (slice(8, 40), slice(36, 60))
    assert detail(near, left) > 0.9 * detail(sharp, left)
    assert detail(near, right) < 0.7 * detail(sharp, right)
    assert detail(far, right) > 0.9 * detail(sharp, right)
    assert detail(far, left) < 0.7 * detail(sharp, left)
    kept = Path(os.environ["MARIGOLD_CACHE"]) / "renders"
    assert not list(kept.rglob("*.exr"))
    bpy.ops.marigold.add_depth_of_field(method="NODES")
    bpy.ops.marigold.remove_depth_of_field()


def test_the_render_is_as_before_once_best_is_off(extension):
    scene = render_scene()
    before = composite(scene)
    bpy.ops.marigold.add_depth_of_field(method="BEST", f_stop=0.12)
    extension("marigold_blender.scene.depth_of_field_render").remove_savers(scene)
    bpy.ops.marigold.remove_depth_of_field()
    assert np.abs(composite(scene) - before).max() < 1e-6
