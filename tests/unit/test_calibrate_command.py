"""`marigold calibrate`: figures of a depth file from itself or from known distances; bad input is refused."""

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


PLACES = [(20.5, 100.5), (80.5, 60.5), (140.5, 20.5), (70.5, 110.5)]


def measured(straight=True):
    """Places of the corner with their true distances, as arguments."""
    scene, arguments = corner(), []
    for x, y in PLACES:
        ray = np.array([(x - WIDTH / 2) / scene.focal_px, (HEIGHT / 2 - y) / scene.focal_px, -1.0])
        planar = scene.metric[int(y), int(x)]
        arguments += ["--point", x, y, planar * np.linalg.norm(ray) if straight else planar]
    return arguments


def test_points_with_known_distances_give_near_and_far(depth_file, capsys):
    """The file's values v are such that metric = 2 v - 3."""
    found = answer(capsys, depth_file, "--focal-px", 150, *measured())
    assert (found["near"], found["far"]) == (pytest.approx(-3, abs=0.02), pytest.approx(-1, abs=0.02))
    assert (found["method"], found["inliers"], found["count"]) == ("POINTS", 4, 4)
    planar = answer(capsys, depth_file, *measured(straight=False), "--planar")
    assert (planar["near"], planar["far"]) == (pytest.approx(-3, abs=0.02), pytest.approx(-1, abs=0.02))


def test_a_measured_length_gives_the_size(tmp_path, capsys):
    """Depth whose shift is a third of its scale, as is assumed until something tells."""
    scene = corner()
    scale = np.ptp(scene.metric)
    np.save(tmp_path / "d.npy", (scene.metric - scene.metric.min()) / scale)
    ends = [(30.5, 90.5), (120.5, 90.5)]
    true = np.array([scene.metric[int(y), int(x)] for x, y in ends])
    assumed = scale / 3 + (true - scene.metric.min())  # the scene that this ratio means
    points = [np.array([(x - 80) / 150, (60 - y) / 150, -1]) * z for (x, y), z in zip(ends, assumed, strict=True)]
    length = np.linalg.norm(points[0] - points[1])
    found = answer(capsys, tmp_path / "d.npy", "--focal-px", 150, "--length", *ends[0], *ends[1], length)
    assert found["near"] == pytest.approx(scale / 3, rel=0.02)
    assert found["far"] == pytest.approx(scale * 4 / 3, rel=0.02)
    assert found["kept"] == "the ratio of near to far and the focal length"


def test_a_map_of_distances_of_another_size(depth_file, capsys):
    metric = corner().metric.repeat(2, 0).repeat(2, 1)
    metric[:20, :20] = 1e10  # nothing there, as a Z pass says it
    np.save(depth_file.with_name("z.npy"), metric)
    found = answer(capsys, depth_file, "--metric", depth_file.with_name("z.npy"))
    assert (found["near"], found["far"]) == (pytest.approx(-3, abs=0.01), pytest.approx(-1, abs=0.01))


def test_known_distances_in_words(tmp_path, capsys):
    np.save(tmp_path / "d.npy", corner().affine(4.0, 1.0))
    assert main(["calibrate", str(tmp_path / "d.npy"), "--focal-px", "150", *map(str, measured())]) == 0
    said = capsys.readouterr().out
    assert "4 of 4 agree" in said
    assert "--near 1 --far 5" in said


def rubbish(tmp_path):
    (tmp_path / "rubbish.exr").write_bytes(b"rubbish" * 9)
    np.save(tmp_path / "nothing.npy", np.full((64, 96), np.nan, np.float32))
    np.save(tmp_path / "tiny.npy", np.zeros((4, 4), np.float32))
    np.save(tmp_path / "words.npy", np.array(["a"]))
    np.save(tmp_path / "square.npy", np.ones((64, 64), np.float32))
    np.save(tmp_path / "even.npy", np.full((120, 160), 0.5, np.float32))
    holes = corner().affine(2.0, -3.0)
    holes[:9, :9] = np.nan
    np.save(tmp_path / "holes.npy", holes)
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
        (["corner.npy", "--point", "20", "100", "2"], "there is only one"),
        (["corner.npy", "--point", "20", "100", "2", "--point", "200", "5", "3"], "outside of corner.npy"),
        (["holes.npy", "--point", "20", "100", "2", "--point", "2", "2", "3"], "no depth at (2, 2)"),
        (["corner.npy", "--length", "20", "100", "20", "100", "1"], "two different points"),
        (["corner.npy", "--length", "20", "100", "90", "100", "-1"], "larger than zero"),
        (["corner.npy", "--metric", "square.npy", "--uncertainty", "small.exr"], "calibrates itself"),
        (["corner.npy", "--planar"], "--planar says how points were measured"),
        (["corner.npy", "--metric", "small.exr"], "holds no distances"),
        (["corner.npy", "--metric", "square.npy"], "same picture"),
        (["corner.npy", "--metric", "missing.exr"], "There is no depth file"),
        (["even.npy", "--point", "20", "100", "2", "--point", "50", "5", "3"], "same everywhere"),
    ],
)
def test_bad_input_is_one_sentence(depth_file, arguments, said, capsys, monkeypatch):
    rubbish(depth_file.parent)
    monkeypatch.chdir(depth_file.parent)
    assert main(["calibrate", *arguments]) == 1
    message = capsys.readouterr().err
    assert said in message
    assert message.count("\n") == 1
