"""The job queue with a real worker: progress, cancel, ping, death. One worker serves all tests that kill none."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

from marigold_blender.depth_files.read import read_depth
from marigold_blender.errors import MarigoldError
from marigold_blender.settings import EstimateSettings
from marigold_blender.worker.client.job import Job, JobState
from marigold_blender.worker.client.jobs import JobQueue
from marigold_blender.worker.client.process import Worker, WorkerConfig
from marigold_blender.worker.server.progress import STAGE_SHARE

CHINA = Path(sklearn.datasets.__file__).parent / "images" / "china.jpg"
DEFAULTS = EstimateSettings()
SLOW = EstimateSettings(steps=20, ensemble=10)
PATIENCE_S = 60


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> WorkerConfig:
    return WorkerConfig(Path(sys.executable), tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def queue(config):
    queue = JobQueue(lambda: config)
    yield queue
    queue.shutdown()


def submit(queue: JobQueue, settings: EstimateSettings = DEFAULTS, photo: Path = CHINA) -> Job:
    folder = queue.new_folder()
    payload = {"photo": str(photo), "name": "china", "output": str(folder / "out"), "settings": settings.to_json()}
    return queue.submit("estimate", payload, folder)


def poll_until(queue: JobQueue, condition) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "this took too long"
        queue.poll()
        time.sleep(0.002)


def test_a_job_reports_true_progress_and_its_files(queue):
    seen = []
    result = queue.wait(
        submit(queue, EstimateSettings(steps=3, ensemble=2)),
        lambda job: seen.append((job.stage, job.total, job.overall)),
    )

    stages = [stage for stage, _, _ in seen]
    order = ["starting", *STAGE_SHARE, "done"]
    assert [stage for stage in order if stage in stages] == [stage for stage in dict.fromkeys(stages) if stage in order]
    assert {total for stage, total, _ in seen if stage == "denoising"} == {6}  # members times steps
    overall = [share for _, _, share in seen]
    assert overall == sorted(overall)
    assert overall[-1] == 1.0
    assert {"depth", "uncertainty", "depth_png", "preview", "record", "photo"} <= set(result["files"])
    assert all(Path(path).is_file() for path in result["files"].values())
    assert result["files"]["photo"] == str(CHINA)  # Blender shows it as it is


def test_asking_again_is_answered_from_the_cache(queue):
    settings = EstimateSettings(steps=1, seed=7)
    first, second = queue.wait(submit(queue, settings)), queue.wait(submit(queue, settings))
    assert (first["cached"], second["cached"]) == (False, True)
    depths = [read_depth(Path(result["files"]["depth"])).depth for result in (first, second)]
    assert np.array_equal(*depths)


def test_a_second_job_waits_for_the_first(queue):
    first, second = submit(queue, EstimateSettings(seed=1)), submit(queue, EstimateSettings(seed=2))
    queue.poll()
    assert (first.state, second.state) == (JobState.RUNNING, JobState.QUEUED)
    queue.wait(second)
    assert first.state is JobState.DONE


def test_a_queued_job_is_cancelled_at_once_and_its_folder_removed(queue):
    first, second = submit(queue, EstimateSettings(seed=3)), submit(queue, SLOW)
    queue.poll()
    queue.cancel(second)
    assert second.state is JobState.CANCELLED
    assert not second.folder.exists()
    queue.wait(first)


def test_a_running_job_is_cancelled_within_a_step_and_the_worker_stays(queue):
    job = submit(queue, SLOW)
    poll_until(queue, lambda: job.stage == "denoising")
    pid = queue.worker_pid
    queue.cancel(job)
    poll_until(queue, lambda: job.state.is_over)

    assert job.state is JobState.CANCELLED
    assert time.monotonic() - job.cancelled_at < 2.0
    assert queue.worker_pid == pid
    queue.wait(submit(queue, EstimateSettings(steps=1)))
    assert queue.worker_pid == pid


def test_ping_is_answered_while_the_worker_computes(config):
    worker = Worker(config)
    try:
        payload = {"photo": str(CHINA), "name": "x", "output": str(config.cache / "x"), "settings": SLOW.to_json()}
        worker.send({"type": "request", "job": "slow", "task": "estimate", "payload": payload})
        _receive_until(worker, lambda message: message.get("stage") == "denoising")
        waits = []
        for number in range(20):
            sent = time.monotonic()
            worker.send({"type": "ping", "id": number})
            _receive_until(worker, lambda message, number=number: message.get("id") == number)
            waits.append(time.monotonic() - sent)
        assert sorted(waits)[len(waits) // 2] < 0.1
    finally:
        worker.stop()


def _receive_until(worker: Worker, wanted) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not any(wanted(message) for message in worker.receive()):
        assert time.monotonic() < deadline, "the worker did not answer"
        time.sleep(0.001)


@pytest.mark.parametrize("stage", ["starting", "importing", "denoising"])
def test_a_killed_worker_fails_its_job_and_the_next_job_starts_a_new_one(config, stage):
    queue = JobQueue(lambda: config)
    try:
        job = submit(queue, EstimateSettings(steps=20, ensemble=10, seed=len(stage)))
        poll_until(queue, lambda: job.stage == stage)
        killed = queue.worker_pid
        os.kill(killed, signal.SIGKILL)
        with pytest.raises(MarigoldError) as caught:
            queue.wait(job)
        assert caught.value.kind in ("worker_died", "no_runtime")
        assert not job.folder.exists()

        result = queue.wait(submit(queue, EstimateSettings(steps=1)))
        assert Path(result["files"]["depth"]).is_file()
        assert queue.worker_pid != killed
    finally:
        queue.shutdown()


def test_the_worker_dies_with_its_parent(tmp_path):
    program = (
        "import sys, time; from pathlib import Path\n"
        "from marigold_blender.worker.client.process import Worker, WorkerConfig\n"
        "worker = Worker(WorkerConfig(Path(sys.executable), Path(sys.argv[1])))\n"
        "while not worker.ready: worker.receive()\n"
        "print(worker.process.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    worker_pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while _is_running(worker_pid):
        assert time.monotonic() < deadline, "the worker outlived its parent"
        time.sleep(0.05)


def _is_running(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_an_idle_worker_ends(config):
    queue = JobQueue(lambda: config, idle_s=lambda: 0.2)
    queue.wait(submit(queue, EstimateSettings(steps=1)))
    assert queue.worker_pid is not None
    poll_until(queue, lambda: queue.worker_pid is None)


def test_a_missing_interpreter_is_named(tmp_path):
    queue = JobQueue(lambda: WorkerConfig(tmp_path / "python", tmp_path))
    with pytest.raises(MarigoldError, match="cannot be started") as caught:
        queue.wait(submit(queue))
    assert (caught.value.kind, caught.value.fix) == ("no_runtime", "preferences.addon_show")


def test_an_interpreter_without_the_libraries_is_told_apart(tmp_path):
    queue = JobQueue(lambda: WorkerConfig(Path(sys._base_executable), tmp_path))
    with pytest.raises(MarigoldError, match="has no usable") as caught:
        queue.wait(submit(queue))
    assert caught.value.kind == "no_runtime"
    queue.shutdown()


def test_a_program_that_is_no_python_is_told_apart(tmp_path):
    queue = JobQueue(lambda: WorkerConfig(Path("/bin/true"), tmp_path))
    with pytest.raises(MarigoldError, match="did not start as Marigold's worker") as caught:
        queue.wait(submit(queue))
    assert caught.value.kind == "no_runtime"


def test_an_unwritable_cache_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    queue = JobQueue(lambda: WorkerConfig(Path(sys.executable), tmp_path / "file" / "cache"))
    with pytest.raises(MarigoldError, match="is not writable") as caught:
        queue.new_folder()
    assert caught.value.kind == "cannot_write"


def test_a_bad_photo_fails_the_job_and_keeps_the_worker(queue, tmp_path):
    with pytest.raises(MarigoldError, match="There is no file"):
        queue.wait(submit(queue, photo=tmp_path / "nothing.jpg"))
    assert queue.worker_pid is not None
