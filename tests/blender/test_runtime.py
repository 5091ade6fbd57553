"""The installer followed from inside Blender: it starts in Blender's own Python and never holds the main thread."""

import sys
import time

import pytest

PATIENCE_S = 60
MAIN_THREAD_S = 0.03


@pytest.fixture
def installer(extension):
    return extension("marigold_blender.runtime.installer")


def test_a_plan_is_made_in_blenders_python_without_holding_the_main_thread(extension, installer, tmp_path):
    held = []

    def timed(function, *arguments, **options):
        started = time.perf_counter()
        result = function(*arguments, **options)
        held.append(time.perf_counter() - started)
        return result

    job = timed(installer.start_plan, tmp_path / "Ünï cöde", accelerator="auto", installer="pip")
    deadline = time.monotonic() + PATIENCE_S
    while not timed(job.poll).is_over:
        assert time.monotonic() < deadline
        time.sleep(0.01)

    assert job.error is None, (job.error.message, job.error.details)
    version = ".".join(map(str, sys.version_info[:3]))
    assert job.result["plan"]["python_version"] == version
    assert version in job.result["plan"]["steps"][0]
    assert sorted(held)[-2] < MAIN_THREAD_S  # one may have waited for a processor that others use


def test_a_base_that_will_not_do_is_told_in_one_sentence(extension, installer, tmp_path):
    errors = extension("marigold_blender.errors")
    with pytest.raises(errors.MarigoldError, match="is not a Python that runs here") as refused:
        installer.start_plan(tmp_path / "runtime", base_python="/bin/ls", installer="pip").wait()
    assert refused.value.fix == "preferences.addon_show"
    assert not (tmp_path / "runtime").exists()


def test_the_status_of_nothing_is_read(extension, tmp_path):
    status = extension("marigold_blender.runtime.status").read_status(tmp_path / "none")
    assert status.state.value == "absent"
    assert status.python is None


def test_a_job_that_is_killed_with_the_session_leaves_no_process(installer, tmp_path):
    job = installer.start_plan(tmp_path / "runtime", installer="pip")
    job.kill()
    assert job.state.value == "cancelled"
    assert not job.is_running
