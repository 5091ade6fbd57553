"""The `marigold` command fed with rubbish, and killed: one sentence each, nothing half-written, existing files kept."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
from PIL import Image

from marigold_blender.models.catalogue import CATALOGUE

CHINA = Path(sklearn.datasets.__file__).parent / "images" / "china.jpg"
MARIGOLD = [sys.executable, "-m", "marigold_blender.cli"]


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict[str, str]:
    return {**os.environ, "MARIGOLD_CACHE": str(tmp_path_factory.mktemp("cache"))}


def marigold(environment, *arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*MARIGOLD, *map(str, arguments)], capture_output=True, text=True, env=environment, timeout=120, check=False
    )


@pytest.fixture(scope="module")
def rubbish(tmp_path_factory) -> dict[str, Path]:
    """Files that are no usable photo."""
    folder = tmp_path_factory.mktemp("rubbish")
    files = {name: folder / f"{name}.jpg" for name in ("missing", "empty", "truncated", "text", "tiny", "transparent")}
    files["empty"].touch()
    files["truncated"].write_bytes(CHINA.read_bytes()[:20_000])
    files["text"].write_text("this is not a photo")
    Image.new("RGB", (1, 1)).save(files["tiny"])
    files["transparent"] = folder / "transparent.png"
    Image.new("RGBA", (64, 64)).save(files["transparent"])
    files["huge"] = folder / "huge.png"
    Image.new("1", (20_000, 20_000)).save(files["huge"])
    return files


def test_rubbish_is_named_in_one_sentence_each_and_the_good_photo_still_comes_out(environment, rubbish, tmp_path):
    done = marigold(
        environment, "estimate", *rubbish.values(), CHINA, "--output", tmp_path, "--preset", "draft", "--json"
    )

    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert answer["ok"] is False
    sentences = {Path(failure["photo"]).stem: failure["error"]["message"] for failure in answer["failures"]}
    assert sentences.keys() == rubbish.keys()
    assert len(set(sentences.values())) == len(sentences)
    for sentence in sentences.values():
        assert sentence.endswith(".")
        assert "\n" not in sentence
    assert len(answer["results"]) == 1
    kinds = {"china.json", "china_depth.exr", "china_depth.png", "china_preview.png"}
    assert {path.name for path in tmp_path.iterdir()} == kinds


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--model", "nothing"], "There is no model “nothing”"),
        (["--steps", "1000"], "steps is 1000: use a number from 1 to 100."),
        (["--seed", "-1"], "seed is -1"),
        (["--resolution", "8"], "resolution is 8"),
    ],
)
def test_bad_settings_are_one_sentence(environment, tmp_path, arguments, sentence):
    done = marigold(environment, "estimate", CHINA, "--output", tmp_path, *arguments)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def demo_copy(tmp_path) -> Path:
    return Path(shutil.copytree(CATALOGUE["demo"].folder, tmp_path / "model"))


@pytest.mark.parametrize("harm", ["missing", "truncated", "garbage"])
@pytest.mark.parametrize("file", ["unet/diffusion_pytorch_model.safetensors", "vae/config.json", "model_index.json"])
def test_a_damaged_model_is_named(environment, demo_copy, tmp_path, file, harm):
    damaged = demo_copy / file
    if harm == "missing":
        damaged.unlink()
    elif harm == "truncated":
        damaged.write_bytes(damaged.read_bytes()[:-100])
    else:
        damaged.write_bytes(b"\xff" * 1000)
    done = marigold(environment, "estimate", CHINA, "--output", tmp_path / "out", "--model", demo_copy)
    assert done.returncode == 1
    assert damaged.name in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_unwritable_output_is_one_sentence(environment, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    done = marigold(environment, "estimate", CHINA, "--output", tmp_path / "file" / "out", "--preset", "draft")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert str(tmp_path / "file") in done.stderr


def test_existing_files_survive_a_failure(environment, rubbish, tmp_path):
    (tmp_path / "truncated_depth.exr").write_bytes(b"the user's own")
    marigold(environment, "estimate", rubbish["truncated"], "--output", tmp_path)
    assert (tmp_path / "truncated_depth.exr").read_bytes() == b"the user's own"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_killed_command_leaves_nothing_half_written(environment, tmp_path, how):
    process = subprocess.Popen(
        [*MARIGOLD, "estimate", CHINA, "--output", tmp_path, "--ensemble", "40", "--steps", "50"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        # a shell's background job ignores Ctrl-C, and so would the command that these tests start in one
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    time.sleep(6)
    process.send_signal(how)
    _, said = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def test_two_photos_of_one_name_do_not_overwrite_each_other(environment, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    Image.fromarray(np.zeros((64, 96, 3), np.uint8) + 90).save(other / "china.png")
    done = marigold(
        environment, "estimate", CHINA, other / "china.png", "--output", tmp_path / "out", "--preset", "draft"
    )
    assert done.returncode == 0, done.stderr
    assert {"china_depth.exr", "china_2_depth.exr"} <= {path.name for path in (tmp_path / "out").iterdir()}


def test_output_that_nobody_reads_ends_the_command_quietly(environment):
    process = subprocess.Popen(
        [*MARIGOLD, "doctor"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    said = process.stderr.read()
    assert process.wait(timeout=60) == 141
    assert said == ""


def test_doctor_finds_all_well(environment):
    done = marigold(environment, "doctor", "--json")
    assert done.returncode == 0, done.stderr
    findings = json.loads(done.stdout)
    assert findings["ok"]
    assert findings["models"]["demo"]["resolution"] > 0
    assert findings["libraries"]["torch"]
