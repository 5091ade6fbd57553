"""`marigold calibrate`: figures of a depth file from itself, as JSON and in words; bad files are refused."""

import json

import numpy as np
import pytest

from marigold_blender.cli import main
from marigold_blender.depth_files.depth_map import DepthMap
from marigold_blender.depth_files.exr import write_exr
from marigold_blender.depth_files.write import write_depth
from marigold_blender.record import DepthRecord, SourceCamera
from tests.unit.plane_scenes import HEIGHT, WIDTH, corner


@pytest.fixture
def depth_file(tmp_path):
    path = tmp_path / "corner.npy"
    np.save(path, corner().affine(2.0, -3.0))
    return path


def answer(capsys, *arguments) -> dict:
    assert main(["calibrate", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_json_of_an_array_of_any_range(depth_file, capsys):
    found = answer(capsys, depth_file)
    assert found["ok"]
    assert found["sure"]
    assert found["shift_over_scale"] == pytest.approx(-1.5, abs=0.01)
    assert found["focal_px"] == pytest.approx(150.0, rel=0.02)
    assert -found["floor_plane"]["offset"] * 2.0 == pytest.approx(1.5, rel=0.01)


def test_words_and_a_given_focal_length(depth_file, capsys):
    assert main(["calibrate", str(depth_file), "--focal-px", "150"]) == 0
    said = capsys.readouterr().out
    assert "shift / scale  -1.5" in said
    assert "150.0 px (given)" in said
    assert "floor" in said


def test_a_depth_file_with_its_record_knows_the_focal_length(tmp_path, capsys):
    depth = corner().affine(4.0, 1.0)
    unit = (depth - depth.min()) / (depth.max() - depth.min())
    size = (WIDTH, HEIGHT)
    record = DepthRecord("c", *size, "demo", "", {}, size, "c.png", "", camera=SourceCamera(150.0, "exif_35mm"))
    paths = write_depth(DepthMap(unit, None, None, record), tmp_path, "c")
    found = answer(capsys, paths["depth"])
    assert (found["focal_px"], found["focal_origin"]) == (150.0, "given")


def rubbish(tmp_path):
    (tmp_path / "rubbish.exr").write_bytes(b"rubbish" * 9)
    np.save(tmp_path / "nothing.npy", np.full((64, 96), np.nan, np.float32))
    np.save(tmp_path / "tiny.npy", np.zeros((4, 4), np.float32))
    np.save(tmp_path / "words.npy", np.array(["a"]))
    write_exr(np.zeros((32, 32), np.float32), tmp_path / "small.exr")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.exr"], "There is no depth file"),
        (["rubbish.exr"], "no depth file"),
        (["nothing.npy"], "holds no depth at all"),
        (["tiny.npy"], "only 4 x 4 pixels"),
        (["words.npy"], "no depth"),
        (["corner.npy", "--focal-px", "0"], "must be above 0"),
        (["corner.npy", "--uncertainty", "small.exr"], "not as large"),
    ],
)
def test_bad_input_is_one_sentence(depth_file, arguments, said, capsys, monkeypatch):
    rubbish(depth_file.parent)
    monkeypatch.chdir(depth_file.parent)
    assert main(["calibrate", *arguments]) == 1
    message = capsys.readouterr().err
    assert said in message
    assert message.count("\n") == 1
