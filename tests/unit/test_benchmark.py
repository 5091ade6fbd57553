# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold benchmark`: both sides do the same work, and what cannot be measured is one sentence."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image
from skimage import data
from transformers import CLIPTextModel

from marigold_blender import cli
from marigold_blender.benchmark import command, full_size
from marigold_blender.benchmark.side_process import SideProcess
from marigold_blender.benchmark.sides import Ours, Stock
from marigold_blender.clips.depth_sequence import open_depth_sequence
from marigold_blender.errors import MarigoldError
from marigold_blender.estimation.estimator import Estimator
from marigold_blender.settings import EstimateSettings
from tests.unit.checkpoints import DEMO


def test_one_measure_is_one_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    arguments = ["benchmark", "--only", "warm", "--model", "demo", "--repeats", "1", "--json"]
    assert cli.main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    warm = found["warm"]
    assert found["ok"]
    assert set(found) == {"ok", "about", "warm"}
    assert warm["ratio"] == pytest.approx(warm["seconds"] / warm["stock_seconds"], rel=0.05)
    assert warm["peak_mib"] > 100
    assert warm["stock_peak_mib"] > 100
    assert warm["difference"] < 1e-4  # the demo's networks compute in single precision on both sides
    assert list(tmp_path.iterdir()) == []


def test_both_sides_estimate_every_frame_of_a_clip(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    for number in range(2):
        Image.fromarray(data.coffee()[:96, number * 8 : number * 8 + 128]).save(tmp_path / "clip" / f"a_{number}.png")
    settings = EstimateSettings(steps=1, resolution=64).to_json()
    Stock(DEMO).clip(str(tmp_path / "clip"), settings, str(tmp_path / "stock"))
    before = os.environ.get("MARIGOLD_CACHE", "")
    try:
        Ours(DEMO).clip(str(tmp_path / "clip"), settings, str(tmp_path / "ours"))
    finally:
        os.environ["MARIGOLD_CACHE"] = before
    stock = np.load(tmp_path / "stock" / "a_0.npy")
    ours = open_depth_sequence(tmp_path / "ours")
    assert ours.frames == (0, 1)
    assert np.corrcoef(stock.ravel(), ours.read(0).ravel())[0, 1] > 0.99


@pytest.mark.parametrize(
    ("arguments", "word"), [(["--repeats", "0"], "--repeats"), (["--model", "/nowhere"], "/nowhere")]
)
def test_bad_input_is_one_sentence(arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["benchmark", "--only", "cold", *arguments]) == 1
    message = capsys.readouterr().err.strip()
    assert word in message
    assert message.count("\n") == 0


def test_full_size_networks_need_memory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command, "FULL_SIZE_BYTES", 1 << 60)
    assert cli.main(["benchmark", "--only", "cold", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "out_of_memory"


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MarigoldError) as caught:
        full_size.write_full_size(tmp_path / "file" / "networks", DEMO)
    assert caught.value.kind == "cannot_write"
    assert "--folder" in caught.value.message


def test_full_size_networks_need_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(MarigoldError) as caught:
        full_size.write_full_size(tmp_path / "networks", DEMO)
    assert caught.value.kind == "cannot_write"
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_is_a_checkpoint_and_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    networks = {"unet": UNet2DConditionModel, "vae": AutoencoderKL, "text_encoder": CLIPTextModel}
    for part, kind in networks.items():  # the demo's, for their size
        monkeypatch.setattr(full_size, f"_{part}", lambda part=part, kind=kind: kind.from_pretrained(DEMO / part))
    monkeypatch.setattr(full_size, "NEEDED_BYTES", 1)
    folder = tmp_path / "networks"
    full_size.write_full_size(folder, DEMO)
    written = Estimator.load(folder, "cpu")
    assert (written.default_steps, written.default_resolution) == (4, 768)
    monkeypatch.setattr(full_size, "_write", lambda *_: pytest.fail("made again"))
    full_size.write_full_size(folder, DEMO)
    assert [entry.name for entry in tmp_path.iterdir()] == ["networks"]


def test_a_side_that_is_killed_is_a_sentence(tmp_path: Path) -> None:
    with SideProcess("stock", DEMO, tmp_path) as side:
        os.kill(side.pid, signal.SIGKILL)
        with pytest.raises(MarigoldError) as caught:
            side.ask("merge", members="")
    assert caught.value.kind == "worker_died"


@pytest.mark.skipif(sys.platform == "win32", reason="signals end nothing gently there")
def test_a_terminated_benchmark_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "marigold_blender.cli", "benchmark", "--only", "warm", "--model", "demo"]
    run = subprocess.Popen(command, env={**os.environ, "TMPDIR": str(tmp_path)}, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not list(tmp_path.glob("marigold_benchmark_*/*")) and time.monotonic() < until:
        time.sleep(0.05)
    assert list(tmp_path.glob("marigold_benchmark_*"))
    run.terminate()
    assert run.wait(60) == cli.CANCELLED_EXIT
    assert list(tmp_path.iterdir()) == []
