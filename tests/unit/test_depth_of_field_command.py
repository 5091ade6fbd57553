"""`marigold dof` as people call it: photo and depth in, picture out, one sentence for what cannot be."""

import json
from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813 - its own manual's name for it
import pytest
from PIL import Image

from marigold_blender import cli
from marigold_blender.depth_files.depth_map import DepthMap
from marigold_blender.depth_files.write import write_depth
from marigold_blender.errors import MarigoldError
from marigold_blender.lens_settings import LensSettings
from marigold_blender.record import DepthRecord
from marigold_blender.worker.server.depth_of_field_job import DepthOfFieldRequest, run_depth_of_field
from marigold_blender.worker.server.progress import SHARES, STAGE_SHARE, Progress

SIZE = (96, 64)  # width, height


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Stripes on the near left half and the far right half."""
    pixels = np.full((SIZE[1], SIZE[0], 3), 40, np.uint8)
    pixels[:, ::4] = 220
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def depth(tmp_path: Path) -> Path:
    values = np.zeros((SIZE[1], SIZE[0]), np.float32)
    values[:, SIZE[0] // 2 :] = 1.0
    record = DepthRecord("photo", *SIZE, "demo", "", {}, SIZE, "photo.png", "")
    return write_depth(DepthMap(values, None, None, record), tmp_path, "photo")["depth"]


@pytest.fixture
def z_pass(tmp_path: Path) -> Path:
    """As Blender names it in a multi-layer EXR, beside the colours; the sky is 1e10."""
    values = np.full((SIZE[1], SIZE[0], 4), 2.0, np.float32)
    values[:, SIZE[0] // 2 :, 3] = 8.0
    values[:8, :, 3] = 1e10
    path = tmp_path / "render.exr"
    spec = oiio.ImageSpec(*SIZE, 4, "float")
    spec.channelnames = (
        "ViewLayer.Combined.B",
        "ViewLayer.Combined.G",
        "ViewLayer.Combined.R",
        "ViewLayer.Depth.Z",
    )
    file = oiio.ImageOutput.create(str(path))
    file.open(str(path), spec)
    file.write_image(values)
    file.close()
    return path


def contrast(path: Path, half: slice) -> float:
    return float(np.asarray(Image.open(path).convert("L"), np.float32)[20:-8, half].std())


LEFT, RIGHT = slice(4, 40), slice(56, 92)


@pytest.mark.parametrize(("focus", "sharp", "soft"), [("0", LEFT, RIGHT), ("1", RIGHT, LEFT)])
def test_the_chosen_depth_is_sharp_and_the_rest_is_not(photo, depth, focus, sharp, soft):
    output = photo.with_name("out.png")
    assert (
        cli.main(["dof", str(photo), "--depth", str(depth), "--focus", focus, "--blur", "8", "--output", str(output)])
        == 0
    )
    assert contrast(output, sharp) == pytest.approx(contrast(photo, sharp), rel=1e-3)
    assert contrast(output, soft) < 0.35 * contrast(photo, soft)


def test_metres_and_f_stops_on_a_z_pass(photo, z_pass, capsys):
    output = photo.with_name("out.exr")
    focus = ["--focus-m", "2", "--fstop", "1.4", "--focal-px", "400", "--sensor-mm", "36"]
    assert cli.main(["dof", str(photo), "--depth", str(z_pass), *focus, "--output", str(output), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    focal_m = 400 / SIZE[0] * 0.036
    expected = focal_m**2 / (2 * 1.4) * (1 / 2) * SIZE[0] / 0.036  # the sky
    assert said["largest_blur_px"] == pytest.approx(min(expected, 0.1 * SIZE[0]), rel=0.01)
    assert (said["width"], said["height"], said["depth"], said["focal_origin"]) == (*SIZE, "given", "given")


def test_mattes_by_distance_are_written_beside_the_picture(photo, z_pass, tmp_path):
    files = {"--output": tmp_path / "out.png", "--mattes": tmp_path / "mattes.exr"}
    options = ["--focus-m", "2", "--mask-near", "1", "--mask-far", "5", "--mask-softness", "2", "--focal-px", "400"]
    named = [text for option, path in files.items() for text in (option, str(path))]
    assert cli.main(["dof", str(photo), "--depth", str(z_pass), *options, *named]) == 0
    near, mask, far = np.moveaxis(oiio.ImageBuf(str(files["--mattes"])).get_pixels(), -1, 0)[:, (30, 30, 2), (5, 90, 5)]
    assert near == pytest.approx([0, 0, 0])
    assert mask == pytest.approx([1, 0, 0])
    assert far == pytest.approx([0, 1, 1])  # the sky too


def test_without_a_depth_file_the_depth_is_estimated(photo, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("MARIGOLD_CACHE", str(tmp_path / "cache"))
    output = tmp_path / "out.png"
    command = [
        "dof",
        str(photo),
        "--focus",
        "0.5",
        "--steps",
        "1",
        "--resolution",
        "64",
        "--output",
        str(output),
        "--json",
    ]
    assert cli.main(command) == 0
    assert json.loads(capsys.readouterr().out)["depth"] == "estimated"
    assert Image.open(output).size == SIZE


BAD = {
    "zero f-stop": (["--focus-m", "2", "--fstop", "0"], "f-stop is 0"),
    "focus beyond the depth": (["--focus", "1.4"], "focus 1.4 is outside"),
    "metres without a scale": (["--focus-m", "2"], "needs the scene's scale"),
    "focus outside of the scene": (["--focus-m", "9", "--near", "1", "--far", "4"], "reaches from 1 to 4 m"),
    "far before near": (["--focus-m", "2", "--near", "4", "--far", "1"], "far beyond it"),
    "two blades": (["--focus", "0.5", "--blades", "2"], "No aperture has 2 blades"),
    "mattes as colours": (["--focus", "0.5", "--mattes", "mattes.png"], "end “mattes.png” with .exr"),
    "a mask of nothing": (["--focus", "0.5", "--mask-near", "4"], "must end beyond"),
    "not a number": (["--focus", "nan"], "plain number"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_lens_that_cannot_be_is_one_sentence(photo, depth, case, capsys):
    options, sentence = BAD[case]
    output = photo.with_name("out.png")
    assert cli.main(["dof", str(photo), "--depth", str(depth), *options, "--output", str(output)]) == 1
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert not output.exists()


def test_bad_files_are_one_sentence_and_leave_nothing(photo, depth, tmp_path, capsys):
    small = tmp_path / "small.png"
    Image.new("RGB", (32, 32)).save(small)
    (tmp_path / "text.exr").write_text("no picture")
    out = str(tmp_path / "out.png")
    before = sorted(tmp_path.iterdir())
    for photo_given, depth_given, output, sentence in (
        (small, depth, out, "32 × 32 pixels but its depth 96 × 64"),
        (photo, tmp_path / "none.exr", out, "There is no depth file"),
        (photo, tmp_path / "text.exr", out, "no depth file that can be read"),
        (photo, depth, str(tmp_path), "is not a picture's name"),
        (photo, depth, str(tmp_path / "out.mp3"), "is not a picture's name"),
        (tmp_path / "none.png", depth, out, "There is no file"),
    ):
        assert (
            cli.main(["dof", str(photo_given), "--depth", str(depth_given), "--focus", "0.5", "--output", output]) == 1
        )
        assert sentence in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


def test_progress_only_grows_and_ends_at_the_whole(photo, depth):
    told: list[float] = []
    stages: list[str] = []
    progress = Progress(
        lambda update: (told.append(update["overall"]), stages.append(update["stage"])), SHARES["depth_of_field"]
    )
    request = DepthOfFieldRequest(str(photo), str(photo.with_name("out.png")), LensSettings(), str(depth))
    run_depth_of_field(request, progress, lambda: False)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)
    assert {"reading", "blurring", "writing"} <= set(stages)
    with_estimate = SHARES["estimate_depth_of_field"]
    assert sum(with_estimate.values()) == pytest.approx(1.0, abs=0.01)
    assert set(STAGE_SHARE) <= set(with_estimate)


def test_cancelled_it_leaves_nothing(photo, depth):
    request = DepthOfFieldRequest(str(photo), str(photo.with_name("out.png")), LensSettings(), str(depth))
    before = sorted(photo.parent.iterdir())
    with pytest.raises(MarigoldError) as failure:
        run_depth_of_field(request, lambda *_: None, lambda: True)
    assert failure.value.kind == "cancelled"
    assert sorted(photo.parent.iterdir()) == before
