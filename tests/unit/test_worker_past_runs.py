"""What past runs tell of the next: seconds, memory, time left."""

import json
from pathlib import Path

import pytest

from marigold_blender.worker.client.job import Job, JobState
from marigold_blender.worker.client.past_runs import KEEP, NAME, PastRuns

STAGES = {"importing": 4.0, "denoising": 10.0, "writing": 1.0}


def finished(stages=STAGES, **result) -> Job:
    result = {"device": "A card", "memory_mib": 900, "cached": False, **result}
    return Job("1", "estimate", {}, Path(), state=JobState.DONE, stage_seconds=dict(stages), result=result)


def test_a_run_tells_what_the_next_of_its_kind_takes(tmp_path):
    PastRuns(tmp_path).note("kind", finished())
    runs = PastRuns(tmp_path)  # as the next session reads it
    assert runs.expected("kind").seconds == 15.0
    assert runs.expected("kind").memory_mib == 900
    assert runs.device == "A card"
    assert runs.expected("another") is None


def test_a_preset_that_was_never_run_is_told_from_another(tmp_path):
    stages = {"encoding": 2.0, "denoising": 8.0, "decoding": 3.0}
    PastRuns(tmp_path).note("balanced", finished(stages, record={"settings": {"steps": 4, "ensemble": 1}}))
    runs = PastRuns(tmp_path)  # as the next session reads it
    assert runs.expected_from("balanced", steps=1, ensemble=1) == 2.0 + 2.0 + 3.0
    assert runs.expected_from("balanced", steps=0, ensemble=10) == 2.0 + 80.0 + 30.0
    assert runs.expected_from("another", steps=1, ensemble=1) is None


@pytest.mark.parametrize("settings", [None, {}, {"steps": 0, "ensemble": 1}, {"steps": "4", "ensemble": 1}])
def test_a_run_without_numbers_tells_nothing_of_other_presets(tmp_path, settings):
    runs = PastRuns(tmp_path)
    runs.note("balanced", finished(record={"settings": settings}))
    assert runs.expected("balanced").seconds == 15.0
    assert runs.expected_from("balanced", steps=1, ensemble=1) is None


def test_one_slow_start_does_not_count(tmp_path):
    runs = PastRuns(tmp_path)
    runs.note("kind", finished({**STAGES, "importing": 60.0}))
    for _ in range(2):
        runs.note("kind", finished({"denoising": 10.0, "writing": 1.0}))  # warm: nothing is imported
    assert runs.expected("kind").seconds == 11.0


@pytest.mark.parametrize("job", [finished(cached=True), Job("1", "estimate", {}, Path(), state=JobState.FAILED)])
def test_only_what_was_computed_counts(tmp_path, job):
    runs = PastRuns(tmp_path)
    runs.note("kind", job)
    assert not runs


def test_only_the_last_runs_are_kept(tmp_path):
    runs = PastRuns(tmp_path)
    for _ in range(3 * KEEP):
        runs.note("kind", finished())
    assert len(json.loads((tmp_path / NAME).read_text())["runs"]["kind"]) == KEEP


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"runs": {"kind": [1]}, "device": ""}', '{"runs": 1}'])
def test_a_damaged_file_costs_the_figures_only(tmp_path, content):
    (tmp_path / NAME).write_text(content)
    runs = PastRuns(tmp_path)
    assert runs.expected("kind") is None
    runs.note("kind", finished())
    assert PastRuns(tmp_path).expected("kind")


def test_an_unwritable_folder_costs_the_figures_only(tmp_path):
    (tmp_path / "file").write_text("")
    runs = PastRuns(tmp_path / "file")
    runs.note("kind", finished())
    assert runs.expected("kind").seconds == 15.0


def running(stage: str, now: float) -> Job:
    job = Job("2", "estimate", {}, Path(), state=JobState.RUNNING, started_at=now)
    job.enter(stage, now)
    return job


def test_time_left_comes_from_the_pace_of_a_stage_and_from_past_runs_for_the_others(tmp_path):
    runs = PastRuns(tmp_path)
    runs.note("kind", finished())
    job = running("importing", 100.0)
    assert runs.seconds_left("kind", job, 101.0) == pytest.approx(3 + 10 + 1)
    job.enter("denoising", 104.0)
    job.count(0, 40, 104.0)
    assert runs.seconds_left("kind", job, 104.0) == pytest.approx(10 + 1)
    job.count(2, 40, 106.0)
    job.count(12, 40, 111.0)  # ten in five seconds
    assert runs.seconds_left("kind", job, 111.0) == pytest.approx(14 + 1)


def test_a_run_that_goes_on_counts_from_where_it_was(tmp_path):
    job = running("training", 0.0)
    job.count(300, 1000, 10.0)
    job.count(310, 1000, 30.0)
    assert PastRuns(tmp_path).seconds_left("train", job, 30.0) == pytest.approx(690 * 2.0)


def test_nothing_is_said_where_nothing_is_known(tmp_path):
    assert PastRuns(tmp_path).seconds_left("kind", running("importing", 0.0), 1.0) is None
    queued = Job("3", "estimate", {}, Path())
    assert PastRuns(tmp_path).seconds_left("kind", queued, 1.0) is None
