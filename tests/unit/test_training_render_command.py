# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold train render` as a whole: processes, checksums, stopping, bad input; with real Blenders."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

SMALL = ["--views", "1", "--size", "64", "--samples", "1"]


def command(*arguments) -> list[str]:
    return [sys.executable, "-m", "marigold_blender.training", "render", *map(str, arguments)]


def run(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=300)


def test_two_processes_make_one_data_set_with_checksums_that_hold(tmp_path):
    done = run(tmp_path, "--families", "rooms,closeups", "--count", "1", "--workers", "2", *SMALL)
    assert done.returncode == 0, done.stderr
    assert "2 pictures" in done.stdout
    check = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=tmp_path, capture_output=True, text=True)
    assert check.returncode == 0, check.stdout
    assert len((tmp_path / "SHA256SUMS").read_text().splitlines()) == 6
    assert {json.loads(path.read_text())["family"] for path in (tmp_path / "meta").iterdir()} == {"rooms", "closeups"}


def test_a_stopped_run_leaves_no_process_and_goes_on(tmp_path):
    arguments = [tmp_path, "--families", "shelves", "--count", "3", *SMALL]
    process = subprocess.Popen(command(*arguments), stdout=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not list(tmp_path.glob("scenes/*.json")) and time.monotonic() < until:
        time.sleep(0.05)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    _, alive = psutil.wait_procs(children, timeout=10)
    assert children
    assert not alive
    assert run(*arguments).returncode == 0
    assert len(list(tmp_path.glob("scenes/*.json"))) == 3
    assert not [name for name in os.listdir(tmp_path / "rgb") if name.startswith(".")]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--families", "castles"], "no scene family “castles”"),
        (["--blend", "missing.blend"], "no file missing.blend"),
        (["--blend", __file__], "cannot open"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, arguments, says):
    done = run(tmp_path, "--count", "1", *arguments, *SMALL)
    assert done.returncode == 1
    assert says in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr


def test_a_data_set_that_cannot_be_written_is_one_sentence(tmp_path):
    run(tmp_path, "--count", "0", *SMALL)
    (tmp_path / "rgb").rmdir()
    (tmp_path / "rgb").write_text("a file in the way")
    done = run(tmp_path, "--count", "1", "--families", "rooms", *SMALL)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
