"""The installer killed, cancelled, starved and stopped at every stage, with real pip and tiny packages.

The packages' torch only points to the tests' own libraries: the last step, running the demo checkpoint, is real.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from marigold_blender.errors import MarigoldError
from marigold_blender.runtime.installer import (
    PACKAGE_PARENT,
    InstallerJob,
    start_adopt,
    start_install,
    start_remove,
    start_verify,
)
from marigold_blender.runtime.state import RuntimeState
from marigold_blender.runtime.status import read_status
from marigold_blender.worker.client.job import JobState

from .package_index import PackageIndex, write_pins

PATIENCE_S = 120
SLOW = 60_000  # bytes a second: the packages then take ten seconds


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """A package index of our own, which pip is set to, in the way that users do: by its environment."""
    folder = tmp_path_factory.mktemp("index")
    write_pins(folder / "pins", folder / "wheels")
    index = PackageIndex(folder / "wheels")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PIP_FIND_LINKS", "PIP_CERT", "PIP_EXTRA_INDEX_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("PIP_CONFIG_FILE", os.devnull)
        patch.setenv("PIP_INDEX_URL", f"{index.url}/simple")
        patch.setenv("PIP_TRUSTED_HOST", index.url.removeprefix("http://"))  # else pip keeps nothing from it
        patch.setenv("PIP_DEFAULT_TIMEOUT", "5")
        patch.setenv("PIP_RETRIES", "0")
        patch.setenv("MARIGOLD_TORCH_INDEX", f"{index.url}/torch")
        patch.setenv("MARIGOLD_REQUIREMENTS", str(folder / "pins"))
        yield index
    index.close()


@pytest.fixture(autouse=True)
def working_index(index):
    index.bytes_per_second, index.status = 0, 200
    index.served.clear()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The runtime that most tests share, in a path as users have them."""
    return tmp_path_factory.mktemp("home") / "Ünï cöde & spaces" / "runtime"


def install(folder: Path, **options) -> InstallerJob:
    return start_install(folder, accelerator="cpu", installer="pip", **options)


def poll_until(job: InstallerJob, condition) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition(job):
        assert time.monotonic() < deadline, (job.state, job.stage, job.message)
        assert not job.poll().is_over or condition(job), (job.state, job.error and job.error.message)
        time.sleep(0.01)


def processes_of(folder: Path) -> list[str]:
    """Command lines of the processes that have to do with a runtime folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if str(folder) in line and state != "Z":
            found.append(line)
    return found


def wait_for_no_process(folder: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while left := processes_of(folder):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


STAGES = {
    "checking": lambda job: job.stage == "checking",
    "creating": lambda job: job.stage == "creating",
    "the packages' download": lambda job: job.stage == "downloading" and job.done > 100_000,
    "torch's download": lambda job: "torch" in job.message,
    "verifying": lambda job: job.stage == "verifying",
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_kill_at_any_stage_leaves_nothing_that_runs_or_counts_as_ready(index, folder, stage):
    index.bytes_per_second = SLOW * 10 if stage in ("torch's download", "verifying") else SLOW
    job = install(folder)
    poll_until(job, STAGES[stage])
    job.process.send_signal(signal.SIGKILL)
    job.process.wait()

    wait_for_no_process(folder, 2.0)
    assert job.poll() is JobState.FAILED
    assert job.error.kind == "worker_died"
    status = read_status(folder)
    assert (status.state, status.python) == (RuntimeState.ABSENT, None)
    assert "interrupted" in status.sentence


def test_after_the_kills_an_installation_succeeds_and_clears_up(folder):
    seen = []
    job = install(folder)
    job.wait(lambda job: seen.append((job.stage, job.overall)))

    status = read_status(folder)
    assert status.state is RuntimeState.READY, status
    assert status.versions["torch"] == "2.13.0+cpu"
    assert status.bytes > 1_000_000
    subprocess.run([status.python, "-c", "import tiny_one, tiny_two, tiny_three"], check=True)
    assert len(list(folder.glob("env-*"))) == 1
    assert not list(folder.glob("old-*"))
    assert not (folder / "downloads").exists()
    order = ["checking", "creating", "downloading", "verifying"]
    stages = [stage for stage in dict.fromkeys(stage for stage, _ in seen) if stage in order]
    assert stages == order
    shares = [share for _, share in seen]
    assert shares == sorted(shares)
    assert "tiny" in job.log.read_text(encoding="utf-8")


def test_what_is_ready_is_left_alone(folder, index):
    result = install(folder).wait()
    assert result["note"] == "It was installed already."
    assert index.served == []


@pytest.mark.parametrize("stage", ["creating", "the packages' download", "verifying"])
def test_an_update_that_is_killed_leaves_the_old_environment_at_work(index, folder, stage):
    index.bytes_per_second = SLOW * 10 if stage == "verifying" else SLOW
    old = read_status(folder).python
    job = install(folder, force=True)
    poll_until(job, STAGES[stage])
    during = read_status(folder)
    job.kill()

    wait_for_no_process(folder, 2.0)
    assert during.state in (RuntimeState.UPDATING, RuntimeState.VERIFYING)
    assert during.python == old
    status = read_status(folder)
    assert (status.state, status.python) == (RuntimeState.READY, old)
    assert "still works" in status.sentence


def test_an_update_that_fails_says_why_and_changes_nothing(index, folder):
    index.status = 403
    old = read_status(folder).python
    job = install(folder, force=True)
    with pytest.raises(MarigoldError, match="refused the request") as failure:
        job.wait()

    assert failure.value.fix == "marigold.install_runtime"
    assert "403" in failure.value.details
    status = read_status(folder)
    assert (status.state, status.python) == (RuntimeState.READY, old)
    assert "failed and changed nothing" in status.sentence
    assert list(folder.glob("env-*")) == [old.parents[1]]


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


def test_an_environment_that_was_damaged_is_found_broken_and_mended(folder):
    python = read_status(folder).python
    (pointer,) = python.parents[1].rglob("real_libraries.pth")
    pointer.unlink()
    with pytest.raises(MarigoldError, match="lacks diffusers"):
        start_verify(folder).wait()
    status = read_status(folder)
    assert (status.state, status.python) == (RuntimeState.BROKEN, None)

    install(folder).wait()
    assert read_status(folder).state is RuntimeState.READY


def test_removing_gives_everything_back_but_the_files_of_others(folder):
    (folder / "notes.txt").write_text("mine")
    start_remove(folder).wait()
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    assert read_status(folder).state is RuntimeState.ABSENT
    (folder / "notes.txt").unlink()


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
