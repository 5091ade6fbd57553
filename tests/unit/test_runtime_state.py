"""The runtime's state on disk, its lock, its folder, and what is told of them, without any installation."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from marigold_blender.errors import MarigoldError
from marigold_blender.runtime.folder import (
    LONGEST_INSIDE,
    WINDOWS_LIMIT,
    Layout,
    check_depth,
    default_folder,
    delete,
    make_ready,
    python_of,
    size_of,
)
from marigold_blender.runtime.lock import is_held, locked
from marigold_blender.runtime.requirements import fingerprint
from marigold_blender.runtime.state import Environment, RuntimeState, StateFile, read_state, write_state
from marigold_blender.runtime.status import read_status
from marigold_blender.runtime.time_left import TimeLeft


@pytest.fixture
def layout(tmp_path) -> Layout:
    layout = Layout(tmp_path / "runtime")
    make_ready(layout)
    return layout


@pytest.fixture
def ready(layout) -> Environment:
    """An environment that stands on disk as an installation leaves it."""
    environment = Environment(
        "env-0000001",
        base=sys.executable,
        python_version="3.11.7",
        accelerator="cpu",
        build="cpu",
        device="the CPU",
        versions={"torch": "2.13.0+cpu"},
        bytes=1_300_000_000,
        requirements=fingerprint(),
    )
    python = environment.python(layout)
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    write_state(layout, StateFile(RuntimeState.READY, environment))
    return environment


def test_nothing_there_is_absent(tmp_path):
    status = read_status(tmp_path / "none")
    assert (status.state, status.python) == (RuntimeState.ABSENT, None)
    assert status.sentence == "The runtime is not installed."


def test_what_is_ready_is_told_with_its_device_and_size(layout, ready):
    status = read_status(layout.folder)
    assert (status.state, status.python) == (RuntimeState.READY, ready.python(layout))
    assert status.sentence == "Ready: torch 2.13.0+cpu on the CPU, 1.3 GB."
    assert status.outdated is False


def test_a_moved_folder_still_works(layout, ready):
    moved = layout.folder.rename(layout.folder.with_name("moved"))
    assert read_status(moved).python == ready.python(Layout(moved))


def test_other_pins_make_it_due_for_an_update_and_leave_it_usable(layout, ready):
    write_state(layout, StateFile(RuntimeState.READY, replace(ready, requirements="older")))
    status = read_status(layout.folder)
    assert (status.state, status.outdated) == (RuntimeState.READY, True)
    assert "An update is there" in status.sentence


def test_it_is_broken_when_the_python_it_was_made_from_is_gone(layout, ready):
    write_state(layout, StateFile(RuntimeState.READY, replace(ready, base="/opt/blender-4.2/python")))
    status = read_status(layout.folder)
    assert (status.state, status.python) == (RuntimeState.BROKEN, None)
    assert "was that Blender removed?" in status.sentence


def test_it_is_broken_when_its_own_python_is_gone(layout, ready):
    ready.python(layout).unlink()
    assert read_status(layout.folder).state is RuntimeState.BROKEN


@pytest.mark.parametrize("state", [state for state in RuntimeState if state.is_busy])
def test_a_busy_state_counts_only_while_an_installer_holds_the_lock(layout, ready, state):
    write_state(layout, StateFile(state, ready, building="env-0000002"))
    assert read_status(layout.folder).state is RuntimeState.READY
    with locked(layout.lock, 0, lambda: None):
        status = read_status(layout.folder)
        assert status.state is state
        assert status.python == ready.python(layout)  # works on while a newer one is made


def test_a_removal_that_was_killed_is_told(layout):
    write_state(layout, StateFile(RuntimeState.REMOVING))
    status = read_status(layout.folder)
    assert status.state is RuntimeState.ABSENT
    assert "remove it again" in status.sentence


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"format": 99}', '{"format": 1, "current": 3, "state": "x"}', "null"]
)
def test_a_damaged_state_file_counts_as_none(layout, content):
    layout.state.write_text(content)
    assert read_state(layout) == StateFile()
    assert read_status(layout.folder).state is RuntimeState.ABSENT


def test_a_write_that_is_killed_leaves_the_old_state(layout, ready):
    layout.state.with_suffix(".new").write_text('{"format": 1, "sta')
    assert read_state(layout).current == ready


def test_reading_the_status_is_cheap_enough_for_a_panel(layout, ready):
    read_status(layout.folder)
    started = time.perf_counter()
    for _ in range(100):
        read_status(layout.folder)
    assert (time.perf_counter() - started) / 100 < 0.002


def test_the_lock_is_free_again_when_its_holder_is_killed(layout):
    program = (
        "import sys, time, pathlib; from marigold_blender.runtime.lock import locked\n"
        "with locked(pathlib.Path(sys.argv[1]), 0, lambda: None):\n    print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", program, layout.lock], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    assert is_held(layout.lock)
    with pytest.raises(MarigoldError, match="Another Blender or terminal"), locked(layout.lock, 0.2, lambda: None):
        pass
    holder.kill()
    holder.wait()
    assert not is_held(layout.lock)
    with locked(layout.lock, 0, lambda: None):
        pass


def test_a_lock_file_that_was_removed_with_the_runtime_is_made_anew(layout):
    with locked(layout.lock, 0, lambda: None):
        layout.lock.unlink()
        with locked(layout.lock, 0, lambda: None):
            assert is_held(layout.lock)


def test_the_folder_is_one_for_each_user_unless_named(monkeypatch, tmp_path):
    monkeypatch.setenv("MARIGOLD_RUNTIME", str(tmp_path / "named"))
    assert default_folder() == tmp_path / "named"
    monkeypatch.delenv("MARIGOLD_RUNTIME")
    monkeypatch.delenv("MARIGOLD_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert default_folder() == tmp_path / "marigold-blender/runtime"


def test_a_folder_with_files_of_others_is_refused(tmp_path):
    (tmp_path / "thesis.doc").touch()
    with pytest.raises(MarigoldError, match="holds other files"):
        make_ready(Layout(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.doc"]


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MarigoldError, match="not writable") as refused:
        make_ready(Layout(tmp_path / "file/runtime"))
    assert refused.value.kind == "cannot_write"


def test_a_folder_too_deep_for_windows_is_refused_and_the_deepest_that_fits_is_not():
    deepest = WINDOWS_LIMIT - LONGEST_INSIDE - len("\\env-1234567\\")
    check_depth(Path("C" * deepest))
    with pytest.raises(MarigoldError, match="1 characters too long for this Windows"):
        check_depth(Path("C" * (deepest + 1)))


def test_the_longest_file_of_an_environment_is_known():
    """Of the packages that the runtime installs, as far as the tests' own environment holds them."""
    site = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    names = ("torch", "diffusers", "transformers", "sympy", "huggingface_hub", "numpy", "pydantic")
    files = (
        path for name in names for folder, _, files in os.walk(site / name) for path in (f"{folder}/{f}" for f in files)
    )
    longest = max(len(str(Path("Lib/site-packages") / Path(path).relative_to(site))) for path in files)
    assert longest <= LONGEST_INSIDE


def test_deleting_never_leaves_half_an_environment_under_its_name(tmp_path):
    environment = tmp_path / "env-1"
    (environment / "lib").mkdir(parents=True)
    (environment / "lib/file").write_bytes(bytes(1000))
    assert size_of(tmp_path) == 1000
    assert delete(environment)
    assert list(tmp_path.iterdir()) == []


def test_deleting_an_environment_leaves_what_its_links_lead_to(tmp_path):
    base = tmp_path / "base"
    base.mkdir()
    (base / "python").touch()
    environment = tmp_path / "env-1"
    environment.mkdir()
    (environment / "file").symlink_to(base / "python")
    (environment / "lib64").symlink_to(base)
    seen = []
    assert delete(environment, lambda: seen.append(1))
    assert len(seen) == 2
    assert (base / "python").exists()


def test_pythons_place_on_each_system():
    assert python_of(Path("e"), "win32") == Path("e/Scripts/python.exe")
    assert python_of(Path("e"), "darwin") == Path("e/bin/python")


def test_time_left_is_told_only_when_it_can_be():
    left = TimeLeft()
    assert left.seconds(0.0) is None
    left.note(0.0, 0.0)
    left.note(2.0, 0.1)
    assert left.seconds(2.0) is None
    left.note(10.0, 0.5)
    assert left.seconds(10.0) == pytest.approx(10.0)
    assert left.seconds(20.0) == pytest.approx(20.0)  # nothing moved: it takes longer
