"""Clips: what a path means, frames read exactly, depth sequences, and runs that go on where they were stopped."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from marigold_blender import cli
from marigold_blender.clip_paths import is_clip
from marigold_blender.clips.clip import clip_frames, frame_numbers, open_clip
from marigold_blender.clips.depth_sequence import open_depth_sequence, record_content, record_path, write_frame
from marigold_blender.errors import MarigoldError
from marigold_blender.focus_keys import FocusKeys, parse_focus
from marigold_blender.lens_settings import LensSettings
from marigold_blender.record import DepthRecord
from marigold_blender.settings import EstimateSettings
from marigold_blender.worker.server.clip_focus_job import ClipFocusRequest, run_clip_focus
from marigold_blender.worker.server.clip_job import ClipRequest, run_clip

SIZE = (64, 48)  # width, height
SMALL = EstimateSettings(steps=1, resolution=64)


def picture(number: int) -> np.ndarray:
    """Stripes that move with the frame."""
    pixels = np.full((SIZE[1], SIZE[0], 3), 60, np.uint8)
    pixels[:, number % 4 :: 4] = (200, 180, 20 * (number % 10))
    return pixels


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    folder = tmp_path / "shot"
    folder.mkdir()
    for number in range(11, 17):
        Image.fromarray(picture(number)).save(folder / f"shot_{number:04}.png")
    return folder


@pytest.fixture
def depth(tmp_path: Path) -> Path:
    """The depth of the sequence: left near, right far."""
    values = np.zeros((SIZE[1], SIZE[0]), np.float32)
    values[:, SIZE[0] // 2 :] = 1.0
    record = DepthRecord("shot", *SIZE, "demo", "", {}, SIZE, "shot", "")
    folder = tmp_path / "depth"
    for number in range(11, 17):
        write_frame(folder, "shot", number, values)
    record_path(folder, "shot").write_text(json.dumps({**record_content(record, "independent", {}), "frames": {}}))
    return folder


def test_what_a_path_means(sequence):
    assert is_clip(sequence)
    assert is_clip(Path("a/shot_####.png"))
    assert is_clip(Path("a/film.MP4"))
    assert not is_clip(sequence / "shot_0011.png")


@pytest.mark.parametrize("named", ["folder", "pattern"])
def test_a_sequence_has_its_numbers(sequence, named):
    clip = open_clip(sequence if named == "folder" else sequence / "shot_####.png")
    assert (clip.name, clip.kind, frame_numbers(clip)) == ("shot", "sequence", list(range(11, 17)))
    assert [frame.number for frame in clip_frames(clip, {12, 15})] == [12, 15]


def test_sequences_that_are_none_are_one_sentence(sequence, tmp_path):
    (sequence / "shot_0013.png").unlink()
    cases = [(sequence, "The frame 13 of"), (tmp_path / "none", "There is no clip"), (tmp_path, "no numbered pictures")]
    (tmp_path / "two").mkdir()
    for name in ("a_1.png", "b_1.png"):
        Image.new("RGB", SIZE).save(tmp_path / "two" / name)
    cases.append((tmp_path / "two", "holds several clips"))
    cases.append((tmp_path / "a_#_#.png", "several places for a number"))
    for path, sentence in cases:
        with pytest.raises(MarigoldError) as failure:
            open_clip(path)
        assert sentence in failure.value.message


def test_a_movie_gives_every_frame_exactly(tmp_path):
    av = pytest.importorskip("av", reason="PyAV is in requirements/venv.lock, but not in this environment")
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "bgr0"
        for number in range(1, 8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number), format="rgb24")))
        container.mux(stream.encode(None))
    clip = open_clip(path)
    assert (clip.kind, clip.frame_count, round(clip.fps)) == ("movie", 7, 25)
    frames = {frame.number: frame.pixels for frame in clip_frames(clip)}
    assert list(frames) == list(range(1, 8))
    assert all((pixels == picture(number)).all() for number, pixels in frames.items())
    assert [frame.number for frame in clip_frames(clip, {3, 5})] == [3, 5]


def test_what_is_no_movie_is_one_sentence(tmp_path):
    pytest.importorskip("av", reason="PyAV is in requirements/venv.lock, but not in this environment")
    (tmp_path / "text.mp4").write_text("no movie")
    for name, sentence in (("text.mp4", "is no movie that can be read"), ("none.mp4", "There is no file")):
        with pytest.raises(MarigoldError, match=sentence):
            open_clip(tmp_path / name)


def test_the_depth_of_a_clip_goes_on_where_it_was_stopped(sequence, tmp_path, monkeypatch):
    monkeypatch.setenv("MARIGOLD_CACHE", str(tmp_path / "cache"))
    request = ClipRequest(str(sequence), str(tmp_path / "out"), SMALL, steady=False)
    begun: list[int] = []
    with pytest.raises(MarigoldError) as failure:
        run_clip(request, lambda stage, done, total: begun.append(done), lambda: len(begun) > 2)
    assert failure.value.kind == "cancelled"
    kept = open_depth_sequence(tmp_path / "out")
    assert 1 <= len(kept.frames) < 6
    before = {number: kept.read(number) for number in kept.frames}
    result = run_clip(request, lambda *_: None, lambda: False)
    assert result.computed == 6 - len(before)
    whole = open_depth_sequence(tmp_path / "out")
    assert (whole.frames, whole.method, whole.record.model) == (tuple(range(11, 17)), "independent", "demo")
    assert whole.record.self_calibration is None  # most of a second for each frame, which nobody would read
    assert all((whole.read(number) == depth).all() for number, depth in before.items())
    assert run_clip(request, lambda *_: None, lambda: False).computed == 0
    assert not list((tmp_path / "out").glob(".*"))


def test_the_command_estimates_clips_beside_photos(sequence, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MARIGOLD_CACHE", str(tmp_path / "cache"))
    photo = sequence / "shot_0011.png"
    command = ["estimate", str(sequence), str(photo), "--steps", "1", "--resolution", "64", "--json"]
    assert cli.main([*command, "--output", str(tmp_path / "out")]) == 0
    clip, still = json.loads(capsys.readouterr().out)["results"]
    assert (clip["first"], clip["last"]) == (11, 16)
    assert Path(clip["record"]).is_file()
    assert Path(still["files"]["depth"]).is_file()


def contrast(path: Path, half: slice) -> float:
    return float(np.asarray(Image.open(path).convert("L"), np.float32)[10:-10, half].std())


LEFT, RIGHT = slice(4, 26), slice(40, 60)


def test_a_rack_focus_moves_through_a_clip(sequence, depth, tmp_path):
    out = tmp_path / "out"
    command = [
        "dof",
        str(sequence),
        "--depth",
        str(depth),
        "--focus",
        "11:0,16:1",
        "--blur",
        "6",
        "--output",
        str(out),
    ]
    assert cli.main(command) == 0
    files = sorted(out.glob("*.png"))
    assert [file.name for file in files] == [f"shot_{number:04}.png" for number in range(11, 17)]
    sharp_left = [contrast(file, LEFT) for file in files]
    sharp_right = [contrast(file, RIGHT) for file in files]
    assert sharp_left == sorted(sharp_left, reverse=True)
    assert sharp_right[0] < 0.4 * sharp_right[-1]


def test_a_focused_clip_goes_on_where_it_was_stopped_and_starts_anew_for_another_lens(sequence, depth, tmp_path):
    out = tmp_path / "out"
    request = ClipFocusRequest(
        str(sequence), str(out), LensSettings(blur_percent=8.0), ((11, 0.0), (16, 1.0)), str(depth)
    )
    turns = []
    with pytest.raises(MarigoldError) as failure:
        run_clip_focus(request, lambda *_: turns.append(1), lambda: len(turns) > 3)
    assert failure.value.kind == "cancelled"
    assert len(list(out.glob("*.png"))) == 3
    assert run_clip_focus(request, lambda *_: None, lambda: False).made == 3
    assert run_clip_focus(request, lambda *_: None, lambda: False).made == 0
    (out / ".0123abcd.shot_0013.png").write_bytes(b"half")  # as a killed run leaves it
    (out / ".0123abcd.theirs.png").touch()
    (out / "shot_0012.png").unlink()
    assert run_clip_focus(request, lambda *_: None, lambda: False).made == 1
    assert [path.name for path in out.glob(".*")] == [".0123abcd.theirs.png"]
    other = ClipFocusRequest(str(sequence), str(out), LensSettings(blur_percent=3.0), (), str(depth))
    assert run_clip_focus(other, lambda *_: None, lambda: False).made == 6


def test_a_clip_without_depth_is_estimated_steadily_once(sequence, tmp_path, monkeypatch):
    monkeypatch.setenv("MARIGOLD_CACHE", str(tmp_path / "cache"))
    command = ["dof", str(sequence), "--focus", "0.5", "--steps", "1", "--resolution", "64"]
    assert cli.main([*command, "--output", str(tmp_path / "out" / "frame_######.exr")]) == 0
    assert len(list((tmp_path / "out").glob("frame_0000??.exr"))) == 6
    record = tmp_path / "out" / "frame_depth" / "shot_depth.json"
    assert json.loads(record.read_text())["method"] == "steady"
    estimated = record.stat().st_mtime_ns
    assert cli.main([*command, "--blur", "2", "--output", str(tmp_path / "out" / "frame_######.exr")]) == 0
    assert record.stat().st_mtime_ns == estimated  # another lens, the same depth


def test_bad_input_is_one_sentence(sequence, depth, tmp_path, capsys):
    photo = sequence / "shot_0011.png"
    for arguments, sentence in (
        ([sequence, "--focus", "11:0,x", "--output", tmp_path / "o"], "neither a number nor keyframes"),
        ([sequence, "--focus", "11:0,11:1", "--output", tmp_path / "o"], "one plain number for each frame"),
        ([sequence, "--focus", "11:0,16:2", "--output", tmp_path / "o"], "focus 2 is outside"),
        (
            [sequence, "--focus", "0.5", "--output", tmp_path / "one.png"],
            "is one file: name the frames like one_####.png",
        ),
        (
            [sequence, "--focus", "0.5", "--output", tmp_path / "o", "--depth", tmp_path / "x"],
            "does not hold the depth",
        ),
        ([photo, "--focus", "1:0,2:1", "--output", tmp_path / "o.png"], "whose focus cannot move"),
    ):
        assert cli.main(["dof", *map(str, arguments)]) == 1
        assert sentence in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_focus_keys_hold_outside_and_start_gently():
    keys = parse_focus("10:0.2,20:0.8")
    assert [keys.at(frame) for frame in (1, 10, 15, 20, 99)] == pytest.approx([0.2, 0.2, 0.5, 0.8, 0.8])
    assert keys.at(11) - keys.at(10) < keys.at(15) - keys.at(14)
    assert parse_focus("0.4") == FocusKeys(((0, 0.4),))
    assert not parse_focus("0.4").moves
