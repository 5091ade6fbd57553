"""Training on the file that is open: rendered by this very Blender, trained by the real worker, used at once."""

import os
from pathlib import Path

import bpy
import pytest

TINY = dict(pictures=4, steps=2, resolution=64, batch=1, accumulate=1, base="demo")


@pytest.fixture
def monkeys():
    """Something to look at from everywhere."""
    bpy.ops.mesh.primitive_plane_add(size=30)
    for x in range(-6, 7, 3):
        bpy.ops.mesh.primitive_monkey_add(location=(x, x / 2, 1))
    bpy.context.scene.world = bpy.data.worlds.new("world")


def folder_of(name: str) -> Path:
    return Path(os.environ["MARIGOLD_HOME"]) / "training" / name


def test_a_model_trained_on_this_file_is_there_at_once(monkeys, china):
    assert bpy.ops.marigold.train(name="mine", **TINY) == {"FINISHED"}
    assert bpy.data.filepath == ""  # a copy was saved, not this file
    pictures = list((folder_of("mine") / "data" / "rgb").iterdir())
    assert 1 <= len(pictures) <= 4

    bpy.ops.marigold.estimate_depth(filepath=str(china), model="mine", preset="DRAFT")
    assert bpy.data.images["china depth"].marigold.model == "mine"

    # a second call finds everything done and only goes on to the new number of steps
    times = [picture.stat().st_mtime_ns for picture in pictures]
    bpy.ops.marigold.train(name="mine", **{**TINY, "steps": 3})
    assert [picture.stat().st_mtime_ns for picture in pictures] == times
    assert (folder_of("mine") / "run/log.csv").read_text().strip().splitlines()[-1].startswith("3,")


def test_a_file_without_geometry_is_refused():
    with pytest.raises(RuntimeError, match="shows no geometry") as caught:
        bpy.ops.marigold.train(name="nothing", **TINY)
    assert "Traceback" not in str(caught.value)


def test_an_animation_needs_a_camera(monkeys):
    with pytest.raises(RuntimeError, match="has no camera"):
        bpy.ops.marigold.train(name="no camera", views="ANIMATION", **TINY)


def test_an_unknown_base_is_refused(monkeys):
    with pytest.raises(RuntimeError, match="There is no model “nothing”"):
        bpy.ops.marigold.train(name="baseless", **{**TINY, "base": "nothing"})
    assert not folder_of("baseless").exists()


def test_other_settings_under_the_same_name_are_refused(monkeys):
    folder = folder_of("other")
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "settings.json").write_text("{}")
    with pytest.raises(RuntimeError, match="made with other settings"):
        bpy.ops.marigold.train(name="other", **TINY)
