# SPDX-License-Identifier: GPL-3.0-or-later
"""Depth maps on disk: exact, readable by others, and never half-written."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813
import pytest
from PIL import Image

from marigold_blender.depth_files.depth_map import DepthMap
from marigold_blender.depth_files.names import safe_stem
from marigold_blender.depth_files.read import read_depth
from marigold_blender.depth_files.write import write_depth
from marigold_blender.errors import MarigoldError
from marigold_blender.record import DepthRecord, SourceCamera


def example(valid: bool = False, uncertainty: bool = False, height: int = 60, width: int = 80) -> DepthMap:
    random = np.random.default_rng(0)
    mask = np.ones((height, width), bool)
    mask[: height // 3] = False
    return DepthMap(
        depth=random.random((height, width), np.float32),
        valid=mask if valid else None,
        uncertainty=random.random((height, width), np.float32) if uncertainty else None,
        record=DepthRecord(
            name="a",
            width=width,
            height=height,
            model="demo",
            model_revision="sha256:00",
            settings={"steps": 4},
            processing_size=(160, 120),
            source="/photos/ä.jpg",
            source_sha256="00",
            camera=SourceCamera(1234.5, "exif_35mm", "Camera"),
        ),
    )


@pytest.mark.parametrize("valid", [False, True])
@pytest.mark.parametrize("uncertainty", [False, True])
def test_what_is_written_is_read(tmp_path: Path, valid: bool, uncertainty: bool) -> None:
    written = example(valid, uncertainty)
    paths = write_depth(written, tmp_path / "new" / "folder", "photo")
    assert set(paths) == {"depth", "depth_png", "preview", "record"} | (
        ({"mask"} if valid else set()) | ({"uncertainty"} if uncertainty else set())
    )
    assert {path.name for path in paths.values()} == {path.name for path in paths["depth"].parent.iterdir()}
    read = read_depth(paths["depth"])
    seen = np.ones_like(read.depth, bool) if written.valid is None else written.valid
    assert (read.depth[seen] == written.depth[seen]).all()
    assert (read.depth[~seen] == 1.0).all()
    assert read.record == written.record
    if valid:
        assert read.valid is not None
        assert (read.valid == written.valid).all()
    else:
        assert read.valid is None
    if uncertainty:
        assert read.uncertainty is not None
        assert (read.uncertainty[seen] == written.uncertainty[seen]).all()
    else:
        assert read.uncertainty is None


def test_the_exr_is_one_float_channel_called_y(tmp_path: Path) -> None:
    file = oiio.ImageInput.open(str(write_depth(example(), tmp_path, "a")["depth"]))
    spec = file.spec()
    assert tuple(spec.channelnames) == ("Y",)
    assert str(spec.format) == "float"
    assert spec["compression"] == "zip"
    assert not spec.get_int_attribute("multiView")
    file.close()


def test_the_16_bit_picture_is_rounded(tmp_path: Path) -> None:
    depth_map = example()
    with Image.open(write_depth(depth_map, tmp_path, "a")["depth_png"]) as image:
        assert image.mode == "I;16"
        levels = np.asarray(image, np.float64)
    assert np.abs(levels - depth_map.depth.astype(np.float64) * 65535).max() <= 0.5 + 1e-2


def test_the_mask_is_0_and_255(tmp_path: Path) -> None:
    depth_map = example(valid=True)
    with Image.open(write_depth(depth_map, tmp_path, "a")["mask"]) as image:
        assert image.mode == "L"
        assert (np.asarray(image) == np.where(depth_map.valid, 255, 0)).all()


def test_the_preview_is_red_near_blue_far_and_dark_where_invalid(tmp_path: Path) -> None:
    depth_map = example(valid=True)
    depth = np.zeros_like(depth_map.depth)
    depth[:, 40:] = 1.0
    preview = Image.open(write_depth(replace(depth_map, depth=depth), tmp_path, "a")["preview"])
    assert preview.getpixel((10, 50)) == (158, 1, 66)
    assert preview.getpixel((70, 50)) == (94, 79, 162)
    assert max(preview.getpixel((70, 5))) < 50


def test_large_previews_are_scaled_down(tmp_path: Path) -> None:
    paths = write_depth(example(height=16, width=5000), tmp_path, "a")
    assert Image.open(paths["preview"]).width <= 2048
    assert Image.open(paths["depth_png"]).width == 5000


def test_the_record_is_json_for_others(tmp_path: Path) -> None:
    record = json.loads(write_depth(example(), tmp_path, "a")["record"].read_text(encoding="utf-8"))
    assert record["source"] == "/photos/ä.jpg"
    assert record["camera"]["focal_px"] == 1234.5


def test_an_earlier_result_s_mask_does_not_stay(tmp_path: Path) -> None:
    write_depth(example(valid=True, uncertainty=True), tmp_path, "a")
    paths = write_depth(example(), tmp_path, "a")
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in paths.values()}
    assert read_depth(paths["depth"]).valid is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.1, 1.1])
def test_depth_outside_of_the_contract_is_not_written(tmp_path: Path, value: float) -> None:
    depth_map = example()
    depth_map.depth[3, 4] = value
    with pytest.raises(ValueError, match="finite"):
        write_depth(depth_map, tmp_path, "a")
    assert list(tmp_path.iterdir()) == []


def test_nonsense_under_the_mask_is_replaced(tmp_path: Path) -> None:
    depth_map = example(valid=True)
    depth_map.depth[0, 0] = np.nan
    assert read_depth(write_depth(depth_map, tmp_path, "a")["depth"]).depth[0, 0] == 1.0


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b", "a:b", ".hidden", "con", "x" * 300, "a\nb", "a."])
def test_unsafe_names_are_refused_and_safe_ones_made_of_them(tmp_path: Path, name: str) -> None:
    with pytest.raises(MarigoldError) as caught:
        write_depth(example(), tmp_path, name)
    assert caught.value.kind == "bad_input"
    assert list(tmp_path.iterdir()) == []
    write_depth(example(), tmp_path, safe_stem(name))


@pytest.mark.parametrize("name", ["photo", "IMG 1234", "Übersicht (2)", "日本語", "a.b", "it's"])
def test_usual_names_stay_as_they_are(name: str) -> None:
    assert safe_stem(name) == name


def test_long_names_are_cut_between_characters() -> None:
    assert len(safe_stem("日" * 200).encode()) <= 100


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MarigoldError) as caught:
        write_depth(example(), tmp_path / "file" / "folder", "a")
    assert caught.value.kind == "cannot_write"
    assert contents(tmp_path) == {"file": b"in the way"}


@pytest.mark.parametrize("obstacle", ["a_preview.png", "a.json", "a_mask.png"])
def test_a_file_that_refuses_leaves_all_old_files_untouched(tmp_path: Path, obstacle: str) -> None:
    write_depth(example(uncertainty=True), tmp_path, "a")
    (tmp_path / obstacle).unlink(missing_ok=True)
    (tmp_path / obstacle).mkdir()
    before = contents(tmp_path)
    with pytest.raises(MarigoldError) as caught:
        write_depth(replace(example(), depth=np.zeros((60, 80), np.float32)), tmp_path, "a")
    assert caught.value.kind == "cannot_write"
    assert contents(tmp_path) == before


NO_ROOM = """
import resource, sys
from pathlib import Path
from tests.unit.test_depth_files_round_trip import example
from marigold_blender.depth_files.write import write_depth
from marigold_blender.errors import MarigoldError

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    write_depth(example(valid=True, uncertainty=True, height=300, width=400), Path(sys.argv[1]), "a")
except MarigoldError as error:
    print(error.kind, error.message)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files")
@pytest.mark.parametrize("room", [100, 100_000, 300_000])
def test_no_room_on_the_disk(tmp_path: Path, room: int) -> None:
    write_depth(example(), tmp_path, "a")
    before = contents(tmp_path)
    run = subprocess.run(
        [sys.executable, "-c", NO_ROOM, str(tmp_path), str(room)], capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith("cannot_write There is no room left on the disk"), run.stdout + run.stderr
    assert contents(tmp_path) == before


def test_reading_what_is_no_depth(tmp_path: Path) -> None:
    paths = write_depth(example(valid=True), tmp_path, "a")
    whole = {part: path.read_bytes() for part, path in paths.items()}

    def refused() -> str:
        with pytest.raises(MarigoldError) as caught:
            read_depth(paths["depth"])
        assert caught.value.kind == "bad_input"
        for part, path in paths.items():
            path.write_bytes(whole[part])
        return caught.value.message

    with pytest.raises(MarigoldError, match="not a depth file"):
        read_depth(tmp_path / "a.png")
    paths["depth"].unlink()
    assert refused()
    paths["record"].unlink()
    assert "a.json is missing" in refused()
    for part in ("depth", "mask", "record"):
        paths[part].write_bytes(whole[part][: len(whole[part]) // 2])
        assert "damaged" in refused()
    Image.new("L", (8, 8)).save(paths["mask"])
    assert "differ in size" in refused()
    assert read_depth(paths["depth"]).valid is not None
