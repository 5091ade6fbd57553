"""The installer cancelled, starved, stopped, without network, with uv, and an environment of the user's own adopted."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from marigold_blender.errors import MarigoldError
from marigold_blender.runtime.installer import PACKAGE_PARENT, start_adopt, start_install, start_remove
from marigold_blender.runtime.state import RuntimeState
from marigold_blender.runtime.status import read_status
from marigold_blender.worker.client.job import JobState

from .following import PATIENCE_S, SLOW, install, poll_until
from .package_index import find_test_uv
from .processes import wait_for_no_process


def test_cancel_is_obeyed_within_a_second_and_keeps_what_was_downloaded(index, tmp_path):
    folder = tmp_path / "runtime"
    index.bytes_per_second = SLOW
    job = install(folder)
    poll_until(job, lambda job: len(index.served) == 2)  # the first package is there
    job.cancel()
    asked = time.monotonic()
    while not job.poll().is_over:
        time.sleep(0.01)
    assert job.state is JobState.CANCELLED
    assert time.monotonic() - asked < 1.0

    while job.is_running:
        job.poll()
    wait_for_no_process(folder, 0.5)
    assert not list(folder.glob("env-*")) + list(folder.glob("old-*"))
    assert any(path.is_file() for path in (folder / "downloads").rglob("*"))
    assert read_status(folder).state is RuntimeState.ABSENT

    index.served.clear()
    job = install(folder)
    poll_until(job, lambda job: bool(index.served))
    assert index.served[0].startswith("tiny_two")  # the first came from what was kept
    job.kill()


def test_an_installer_that_does_not_stop_is_killed_with_its_children(index, tmp_path):
    index.bytes_per_second = SLOW
    job = install(tmp_path / "runtime")
    poll_until(job, lambda job: bool(index.served))
    job.process.send_signal(signal.SIGSTOP)  # it hears nothing any more
    job.cancel()
    asked = time.monotonic()
    while not job.poll().is_over:
        time.sleep(0.01)
    assert job.state is JobState.CANCELLED
    assert time.monotonic() - asked < 5.0
    wait_for_no_process(tmp_path / "runtime", 1.0)


def test_it_dies_with_the_program_that_started_it(index, tmp_path):
    index.bytes_per_second = SLOW
    program = (
        "import sys, time, pathlib; from marigold_blender.runtime.installer import start_install\n"
        "job = start_install(pathlib.Path(sys.argv[1]), accelerator='cpu', installer='pip')\n"
        "while True: job.poll(); time.sleep(0.01)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "runtime")], cwd=PACKAGE_PARENT)
    deadline = time.monotonic() + PATIENCE_S
    while not index.served:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    wait_for_no_process(tmp_path / "runtime", 2.0)


def test_a_second_installer_waits_for_the_first(index, tmp_path):
    index.bytes_per_second = SLOW
    first = install(tmp_path / "runtime")
    poll_until(first, lambda job: bool(index.served))
    second = install(tmp_path / "runtime")
    poll_until(second, lambda job: job.stage == "waiting")
    second.cancel()
    poll_until(second, lambda job: job.state.is_over)
    assert second.state is JobState.CANCELLED
    assert first.poll() is JobState.RUNNING
    first.kill()


@pytest.mark.skipif(find_test_uv() is None, reason="uv is not installed here: pip install -r requirements/venv.lock")
def test_uv_installs_from_the_places_that_pip_is_set_to(index, tmp_path, monkeypatch):
    monkeypatch.setenv("MARIGOLD_UV", find_test_uv())
    job = start_install(tmp_path / "runtime", accelerator="cpu", installer="uv")
    job.wait()
    assert read_status(tmp_path / "runtime").state is RuntimeState.READY
    assert {name.split("-")[0] for name in index.served} == {"tiny_one", "tiny_two", "tiny_three", "torch"}
    assert "Installed 3 packages" in job.log.read_text(encoding="utf-8")


def test_without_network_what_is_not_on_disk_is_named(index, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(MarigoldError, match=r"have not tiny-one==.*: allow online access"):
        install(tmp_path / "runtime", online=False).wait()
    assert index.served == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk to fill")
def test_a_disk_that_runs_full_is_told_and_leaves_no_half_environment(index, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1600m", "tmpfs", disk], check=True)
    try:
        index.bytes_per_second = SLOW
        job = install(disk / "runtime")
        poll_until(job, lambda job: bool(index.served))
        free = os.statvfs(disk)
        with (disk / "others").open("wb") as others:
            os.posix_fallocate(others.fileno(), 0, free.f_bavail * free.f_frsize - 300_000)
        index.bytes_per_second = 0
        with pytest.raises(MarigoldError, match="ran full") as failure:
            job.wait()
        assert failure.value.kind == "cannot_write"
        assert not list((disk / "runtime").glob("env-*"))
        assert read_status(disk / "runtime").state is RuntimeState.ABSENT

        with pytest.raises(MarigoldError, match="are free on the disk") as refused:
            install(disk / "runtime").wait()
        assert refused.value.kind == "cannot_write"
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_an_environment_of_the_user_is_adopted_and_never_deleted(tmp_path):
    own = Path(sys.prefix)
    start_adopt(tmp_path / "runtime", own).wait()
    status = read_status(tmp_path / "runtime")
    assert (status.state, status.adopted) == (RuntimeState.READY, True)
    assert status.python == own / "bin/python"

    start_remove(tmp_path / "runtime").wait()
    assert (own / "bin/python").exists()
    assert not (tmp_path / "runtime").exists()


def test_an_environment_without_the_libraries_is_not_adopted(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    with pytest.raises(MarigoldError, match="lacks torch, diffusers"):
        start_adopt(tmp_path / "runtime", tmp_path / "bare").wait()
    with pytest.raises(MarigoldError, match="There is no Python in"):
        start_adopt(tmp_path / "runtime", tmp_path).wait()


def test_an_installer_that_cannot_start_is_one_sentence(tmp_path):
    with pytest.raises(MarigoldError, match="cannot be started"):
        install(tmp_path / "runtime", runner=str(tmp_path / "no-python"))
