"""The installer killed at every stage, with real pip and tiny packages; the next start recovers without help.

The packages' torch only points to the tests' own libraries: the last step, running the demo checkpoint, is real.
"""

import signal
import subprocess
from pathlib import Path

import pytest

from marigold_blender.errors import MarigoldError
from marigold_blender.runtime.installer import start_remove, start_verify
from marigold_blender.runtime.state import RuntimeState
from marigold_blender.runtime.status import read_status
from marigold_blender.worker.client.job import JobState

from .following import SLOW, install, poll_until
from .processes import wait_for_no_process


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The runtime that these tests share, one after the other, in a path as users have them."""
    return tmp_path_factory.mktemp("home") / "Ünï cöde & spaces" / "runtime"


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


def test_after_the_kills_an_installation_succeeds_and_clears_up(index, folder):
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


def test_an_environment_that_was_damaged_is_found_broken_and_mended(index, folder):
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
