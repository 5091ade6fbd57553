"""Downloads beside estimates in one real worker: neither waits for, hinders or takes down the other."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sklearn.datasets

from marigold_blender.errors import MarigoldError
from marigold_blender.models.catalogue import CATALOGUE
from marigold_blender.models.deleting import delete_model
from marigold_blender.models.find import find_model
from marigold_blender.models.licences import LICENCES, accept_licence
from marigold_blender.models.status import forget_statuses, status
from marigold_blender.settings import EstimateSettings
from marigold_blender.worker.client.job import Job, JobState
from marigold_blender.worker.client.jobs import JobQueue
from marigold_blender.worker.client.process import WorkerConfig
from marigold_blender.worker.protocol import decode
from marigold_blender.worker.server.outbox import Outbox
from tests.local_hub import Faults, LocalHub, published_models

CHINA = Path(sklearn.datasets.__file__).parent / "images" / "china.jpg"
V1_1, E2E = "marigold-depth-v1-1", "marigold-e2e-ft-depth"
SLOWLY = Faults(piece_s=0.05)  # 1.3 MB/s: ten seconds
PATIENCE_S = 90


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Iterator[LocalHub]:
    patch = pytest.MonkeyPatch()
    home = tmp_path_factory.mktemp("home")
    patch.setenv("MARIGOLD_HOME", str(home))
    patch.setenv("HF_HOME", str(home / "huggingface"))
    for licence in LICENCES:
        accept_licence(licence)
    with LocalHub(published_models()) as hub:
        patch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub
    patch.undo()


@pytest.fixture(scope="module")
def configs(tmp_path_factory) -> list[WorkerConfig]:
    """One entry: what the next worker is started with; tests change it."""
    return [WorkerConfig(Path(sys.executable), tmp_path_factory.mktemp("cache"), online=True)]


@pytest.fixture(scope="module")
def shared_queue(hub, configs) -> Iterator[JobQueue]:
    queue = JobQueue(lambda: configs[0])
    yield queue
    queue.shutdown()


@pytest.fixture
def queue(shared_queue, hub, configs) -> Iterator[JobQueue]:
    before = configs[0]
    yield shared_queue
    configs[0] = before
    for job in shared_queue.active:
        shared_queue.cancel(job)
    poll_until(shared_queue, lambda: not shared_queue.active)
    hub.faults = Faults()
    for name in (V1_1, E2E):
        delete_model(name)
    hub.sent.clear()
    hub.requests.clear()


def download(queue: JobQueue, name: str = V1_1) -> Job:
    return queue.submit("download_model", {"model": name}, queue.new_folder())


def estimate(queue: JobQueue, settings: EstimateSettings) -> Job:
    folder = queue.new_folder()
    payload = {"photo": str(CHINA), "name": "china", "output": str(folder / "out"), "settings": settings.to_json()}
    return queue.submit("estimate", payload, folder)


def poll_until(queue: JobQueue, condition) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "this took too long"
        queue.poll()
        time.sleep(0.005)


def is_whole(name: str = V1_1) -> bool:
    forget_statuses()
    return status(name).state == "present" and find_model(name).is_dir()


def both_running(queue: JobQueue, settings: EstimateSettings) -> tuple[Job, Job]:
    """A download and an estimate that are in the middle of their work; torch is imported before."""
    queue.wait(estimate(queue, EstimateSettings(steps=1)))
    computing = estimate(queue, settings)
    poll_until(queue, lambda: computing.stage == "denoising")
    fetching = download(queue)
    poll_until(queue, lambda: fetching.stage == "downloading" or computing.state.is_over)
    return fetching, computing


def test_a_download_goes_on_beside_an_estimate(queue, hub):
    hub.faults = replace(SLOWLY)
    fetching, computing = both_running(queue, EstimateSettings(steps=5, ensemble=4, seed=101))
    assert queue.active == [computing, fetching] or queue.active == [fetching, computing]
    assert {job.state for job in queue.active} == {JobState.RUNNING}
    before = fetching.done
    queue.wait(computing)
    assert fetching.state is JobState.DONE or fetching.done > before
    assert queue.wait(fetching)["fetched_bytes"] == sum(hub.sent.values())
    assert is_whole()


def test_speed_and_time_left_are_true(queue, hub):
    hub.faults = replace(SLOWLY)
    job = download(queue)
    poll_until(queue, lambda: job.stage == "downloading" and job.done > 4e6)
    assert 0.2e6 < job.bytes_per_s < 1.4e6
    assert abs(job.seconds_left - (job.total - job.done) / job.bytes_per_s) < 2
    assert abs(job.overall - job.done / job.total) < 0.01
    left, asked_at = job.seconds_left, time.monotonic()
    queue.wait(job)
    assert 0.3 < (time.monotonic() - asked_at) / left < 3


def test_several_downloads_wait_for_each_other_and_can_be_cancelled_one_by_one(queue, hub):
    hub.faults = replace(SLOWLY)
    first, second, third = download(queue), download(queue, E2E), download(queue)
    poll_until(queue, lambda: first.done > 2e6)
    assert (first.state, second.state, third.state) == (JobState.RUNNING, JobState.QUEUED, JobState.QUEUED)
    queue.cancel(second)
    assert second.state is JobState.CANCELLED
    queue.cancel(first)
    poll_until(queue, lambda: first.state.is_over)
    assert first.state is JobState.CANCELLED
    assert time.monotonic() - first.cancelled_at < 1.0
    held = status(V1_1).bytes_present
    assert held > 2e6
    hub.faults = Faults()
    queue.wait(third)  # takes up what the first has left
    assert is_whole()
    assert sum(hub.sent.values()) < 1.1 * status(V1_1).bytes_total


def test_a_cancelled_download_leaves_the_estimate_alone(queue, hub):
    hub.faults = Faults(stall_after=1000)
    fetching, computing = both_running(queue, EstimateSettings(steps=5, ensemble=4, seed=102))
    pid = queue.worker_pid
    queue.cancel(fetching)
    poll_until(queue, lambda: fetching.state.is_over)
    assert time.monotonic() - fetching.cancelled_at < 1.0
    queue.wait(computing)
    assert queue.worker_pid == pid


def test_a_killed_worker_fails_the_estimate_and_the_download_goes_on(queue, hub):
    hub.faults = replace(SLOWLY)
    fetching, computing = both_running(queue, EstimateSettings(steps=40, ensemble=20, seed=103))
    poll_until(queue, lambda: fetching.done > 4e6)
    os.kill(queue.worker_pid, signal.SIGKILL)
    with pytest.raises(MarigoldError) as caught:
        queue.wait(computing)
    assert caught.value.kind == "worker_died"
    hub.faults = Faults()
    assert queue.wait(fetching)["bytes"] == status(V1_1).bytes_total
    assert is_whole()
    assert sum(hub.sent.values()) < status(V1_1).bytes_total + 2e6  # what was on its way when the worker died


def test_memory_can_be_freed_while_a_model_is_fetched(queue, hub):
    hub.faults = replace(SLOWLY)
    job = download(queue)
    poll_until(queue, lambda: job.done > 1e6)
    pid = queue.worker_pid
    queue.stop_worker()
    assert job.state is JobState.QUEUED
    hub.faults = Faults()
    queue.wait(job)
    assert is_whole()
    assert queue.worker_pid != pid


def test_online_access_is_asked_for_and_taken_back_without_another_worker(queue, hub, configs):
    online = configs[0]
    queue.wait(queue.submit("doctor", {}, queue.new_folder()))
    pid = queue.worker_pid
    configs[0] = replace(online, online=False)
    with pytest.raises(MarigoldError) as caught:
        queue.wait(download(queue))
    assert (caught.value.kind, hub.requests) == ("offline", [])

    hub.faults = replace(SLOWLY)
    configs[0] = online
    job = download(queue)
    poll_until(queue, lambda: job.done > 1e6)
    configs[0] = replace(online, online=False)
    with pytest.raises(MarigoldError) as caught:
        queue.wait(job)
    assert caught.value.kind == "offline"
    asked = len(hub.requests)
    time.sleep(0.3)
    assert len(hub.requests) == asked
    assert queue.worker_pid == pid


def test_changed_preferences_count_once_the_other_lane_is_through(queue, hub, configs):
    hub.faults = replace(SLOWLY)
    fetching = download(queue)
    poll_until(queue, lambda: fetching.done > 1e6)
    pid = queue.worker_pid
    configs[0] = replace(configs[0], environment=(("MARIGOLD_DEVICE", "cpu"),))
    computing = estimate(queue, EstimateSettings(steps=1, seed=104))
    queue.poll()
    assert computing.state is JobState.QUEUED
    hub.faults = Faults()
    queue.wait(computing)
    assert fetching.state is JobState.DONE
    assert queue.worker_pid != pid


def test_a_check_and_a_move_are_jobs_too(queue, hub, tmp_path):
    queue.wait(download(queue))
    found = queue.wait(queue.submit("verify_model", {"model": V1_1}, queue.new_folder()))
    assert (found["damaged"], found["bytes"]) == ([], status(V1_1).bytes_total)
    moved = queue.wait(queue.submit("move_models", {"folder": str(tmp_path / "moved")}, queue.new_folder()))
    assert moved == {"folder": str(tmp_path / "moved")}
    assert is_whole()
    assert find_model(V1_1) == tmp_path / "moved" / V1_1
    queue.wait(queue.submit("move_models", {"folder": ""}, queue.new_folder()))


def test_an_estimate_uses_the_model_that_was_fetched(queue, hub):
    with pytest.raises(MarigoldError) as caught:
        queue.wait(estimate(queue, EstimateSettings(model=V1_1)))
    assert (caught.value.kind, caught.value.fix) == ("no_model", "marigold.download_model")
    queue.wait(download(queue))
    result = queue.wait(estimate(queue, EstimateSettings(model=V1_1, seed=105)))
    assert result["record"]["model"] == V1_1
    assert result["record"]["settings"]["steps"] == CATALOGUE[V1_1].steps


def test_unread_progress_of_two_lanes_does_not_pile_up():
    """Blender does not poll while it renders: what waits for it stays small, and the last word of each job is kept."""
    source, sink = os.pipe()
    os.set_blocking(source, False)
    outbox = Outbox(sink)
    for count in range(50_000):
        outbox.send({"type": "progress", "job": "ab"[count % 2], "done": count})
    outbox.send({"type": "result", "job": "a", "result": {}})
    received = b""
    deadline = time.monotonic() + PATIENCE_S
    while b'"result"' not in received:
        assert time.monotonic() < deadline
        try:
            received += os.read(source, 1 << 20)
        except BlockingIOError:
            time.sleep(0.01)
    messages = [decode(line) for line in received.splitlines()]
    assert len(messages) < 10_000
    assert [message["done"] for message in messages if message.get("job") == "b"][-1] == 49_999
    assert [message["type"] for message in messages if message["job"] == "a"][-2:] == ["progress", "result"]
