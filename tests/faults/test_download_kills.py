"""SIGKILL at random moments of a download, a move and a check: the next run recovers, and nothing is fetched twice."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from marigold_blender.models.catalogue import CATALOGUE
from marigold_blender.models.find import find_model
from marigold_blender.models.folders import left_folder, models_folder
from marigold_blender.models.licences import LICENCES, accept_licence
from marigold_blender.models.manifest import is_in_place, read_manifest
from marigold_blender.models.naming import named_model
from marigold_blender.models.status import look
from marigold_blender.models.verifying import verify_model
from tests.local_hub import Faults, LocalHub, published_models
from tests.local_hub_answers import PIECE

MARIGOLD = [sys.executable, "-m", "marigold_blender.cli"]
V1_1, V1_0 = "marigold-depth-v1-1", "marigold-depth-v1-0"
KILLS = 6
OTHER_DISK = Path("/dev/shm")


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Iterator[LocalHub]:
    monkeypatch.setenv("MARIGOLD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    for licence in LICENCES:
        accept_licence(licence)
    with LocalHub(published_models(), Faults(piece_s=0.01)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub


def start(*arguments: object) -> subprocess.Popen:
    return subprocess.Popen([*MARIGOLD, "models", *map(str, arguments)], stdout=subprocess.DEVNULL)


def kill_at_random(*arguments: object, chance: random.Random, begun, within_s: float) -> bool:
    """Run a command and kill it some time after `begun`; whether it was killed, not over before."""
    process = start(*arguments)
    while process.poll() is None and not begun():
        time.sleep(0.002)
    at = time.monotonic() + chance.uniform(0, within_s)
    while process.poll() is None and time.monotonic() < at:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def files_in_place(name: str) -> set[str]:
    manifest = read_manifest(models_folder() / name)
    return {file.path for file in manifest.files if is_in_place(models_folder() / name, file)} if manifest else set()


def assert_honest(hub: LocalHub, name: str) -> None:
    """What stands in its place is what was published, and a model counts as present only if it is whole."""
    published = hub.repositories[CATALOGUE[name].hub_id].files
    for path in files_in_place(name):
        assert (models_folder() / name / path).read_bytes() == published[path]
    if look(named_model(name)).state == "present":
        assert verify_model(named_model(name), lambda *_: None, lambda: None).damaged == ()


def test_a_killed_download_goes_on_and_fetches_no_verified_byte_twice(hub):
    chance = random.Random(3)
    killed = 0
    for _ in range(KILLS):
        verified = files_in_place(V1_1)
        before = dict(hub.sent)
        asked = len(hub.requests)
        killed += kill_at_random(
            "download", V1_1, chance=chance, begun=lambda asked=asked: len(hub.requests) > asked, within_s=0.6
        )
        assert_honest(hub, V1_1)
        assert {path: hub.sent[path] for path in verified} == {path: before[path] for path in verified}
    assert killed > KILLS / 2
    hub.faults = Faults()
    assert start("download", V1_1).wait() == 0
    assert find_model(V1_1).is_dir()
    assert_honest(hub, V1_1)
    # what was on its way through the sockets when the process died is all that came twice
    assert sum(hub.sent.values()) <= look(named_model(V1_1)).bytes_total + killed * 8 * PIECE
    assert not list((models_folder() / ".parts").iterdir())


def test_a_disk_that_fills_up_is_one_sentence_and_costs_nothing(hub):
    hub.faults = Faults()
    limit = 5_000_000  # no file may grow beyond it, as on a full disk

    def fill_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [*MARIGOLD, "models", "download", V1_1]
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=fill_disk)
    assert done.returncode == 1
    assert done.stderr.startswith("There is no room left on the disk of")
    assert done.stderr.count("\n") == 1
    assert look(named_model(V1_1)).state == "partial"
    assert start("download", V1_1).wait() == 0
    assert_honest(hub, V1_1)
    assert sum(hub.sent.values()) <= look(named_model(V1_1)).bytes_total + 128 * PIECE  # what was in the sockets


def test_two_programs_that_fetch_the_same_model_fetch_it_once(hub):
    both = [start("download", V1_1), start("download", V1_1)]
    assert [process.wait() for process in both] == [0, 0]
    assert_honest(hub, V1_1)
    assert sum(hub.sent.values()) == look(named_model(V1_1)).bytes_total


def test_a_program_that_waits_takes_over_when_the_other_is_killed(hub):
    first = start("download", V1_1)
    while sum(hub.sent.values()) < 2_000_000:
        time.sleep(0.01)
    second = start("download", V1_1)
    time.sleep(1.0)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert second.wait() == 0
    assert_honest(hub, V1_1)
    assert sum(hub.sent.values()) <= look(named_model(V1_1)).bytes_total + 8 * PIECE


@pytest.mark.skipif(
    not OTHER_DISK.is_dir() or OTHER_DISK.stat().st_dev == Path("/tmp").stat().st_dev,
    reason="this computer has no second disk",
)
def test_a_killed_move_leaves_every_model_in_reach(hub):
    hub.faults = Faults()
    assert start("download", V1_1).wait() == 0
    chance, home = random.Random(4), models_folder()
    other = OTHER_DISK / f"marigold-kills-{os.getpid()}"
    try:
        for _ in range(KILLS):
            target = other if models_folder() == home else home
            kill_at_random("move", target, chance=chance, begun=lambda target=target: target.is_dir(), within_s=0.3)
            assert models_folder() in (home, other)
            assert look(named_model(V1_1)).state == "present"
            assert_honest(hub, V1_1)
        assert start("move", other).wait() == 0
        assert start("move", home).wait() == 0
        assert_honest(hub, V1_1)
        assert left_folder() is None
        assert not other.exists()
    finally:
        shutil.rmtree(other, ignore_errors=True)


def test_a_killed_repair_is_repeated(hub):
    hub.faults = Faults()
    assert start("download", V1_1).wait() == 0
    unet = find_model(V1_1) / "unet/diffusion_pytorch_model.fp16.safetensors"
    with unet.open("r+b") as file:
        file.write(b"damage")
    assert start("verify", V1_1).wait() == 1
    hub.faults, chance = Faults(piece_s=0.01), random.Random(5)
    hub.sent.clear()
    for _ in range(2):
        asked = len(hub.requests)
        kill_at_random(
            "download", V1_1, chance=chance, begun=lambda asked=asked: len(hub.requests) > asked, within_s=0.4
        )
        assert look(named_model(V1_1)).state in ("damaged", "present")
    assert start("download", V1_1).wait() == 0
    assert set(hub.sent) == {"unet/diffusion_pytorch_model.fp16.safetensors"}
    assert_honest(hub, V1_1)
    assert sum(hub.sent.values()) <= unet.stat().st_size + 2 * 8 * PIECE
