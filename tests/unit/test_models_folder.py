"""Deleting models, choosing the models folder, moving it to another place or disk."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from marigold_blender.errors import MarigoldError
from marigold_blender.models.changing import changing
from marigold_blender.models.deleting import delete_model
from marigold_blender.models.folders import choose_models_folder, default_models_folder, left_folder, models_folder
from marigold_blender.models.local_models import local_models, register_local_model
from marigold_blender.models.manifest import part_path, read_manifest, write_manifest
from marigold_blender.models.moving import finish_move, move_models_folder
from marigold_blender.models.naming import named_model
from marigold_blender.models.sharing import can_link
from marigold_blender.models.status import status
from marigold_blender.models.verifying import verify_model
from tests.local_hub import DEMO, UNET
from tests.unit.fetched_models import SHARED, V1_0, V1_1, disk_bytes, put_model

OTHER_DISK = Path("/dev/shm")

pytestmark = pytest.mark.usefixtures("home")


def move(folder: str | Path) -> Path:
    return move_models_folder(folder, lambda *_: None, lambda: None)


def test_deleting_gives_the_space_back():
    before = disk_bytes(models_folder()) if models_folder().exists() else 0
    put_model(V1_1)
    taken = disk_bytes(models_folder()) - before
    freed = delete_model(V1_1)
    assert freed == taken
    assert [path.name for path in models_folder().iterdir()] == [".lock"]
    assert status(V1_1).state == "absent"


def test_what_another_model_shares_stays():
    put_model(V1_1)
    put_model(V1_0)
    both = disk_bytes(models_folder())
    freed = delete_model(V1_1)
    assert both - freed == disk_bytes(models_folder())
    assert verify_model(named_model(V1_0), lambda *_: None, lambda: None).damaged == ()


def test_deleting_a_half_fetched_model_deletes_what_was_fetched():
    manifest = put_model(V1_1, complete=False, leave_out=UNET)
    part = part_path(models_folder(), next(file for file in manifest.files if file.path == UNET))
    part.parent.mkdir()
    part.write_bytes(b"x" * 1000)
    delete_model(V1_1)
    assert not part.exists()
    assert status(V1_1).state == "absent"


def test_an_interrupted_deletion_is_finished_by_the_next():
    put_model(V1_1)
    (models_folder() / V1_1).rename(models_folder() / ".deleted-1234")
    put_model(V1_0)
    delete_model(V1_0)
    assert [path.name for path in models_folder().iterdir()] == [".lock"]


def test_the_bundled_model_cannot_be_deleted():
    with pytest.raises(MarigoldError, match="ships with the extension"):
        delete_model("demo")
    assert (DEMO / "model_index.json").is_file()


def test_nothing_is_deleted_while_another_program_changes_the_folder():
    put_model(V1_1)
    program = (
        "import sys, time; from pathlib import Path; from marigold_blender.models.changing import changing\n"
        "with changing(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)\n"
    )
    other = subprocess.Popen([sys.executable, "-c", program, models_folder()], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(MarigoldError, match="Another program is changing the models"):
            delete_model(V1_1)
        other.kill()  # its lock goes with it
        other.wait()
        assert delete_model(V1_1) > 0
    finally:
        other.kill()


def test_the_folder_by_default_by_choice_and_by_environment(home, tmp_path, monkeypatch):
    assert models_folder() == default_models_folder() == home / "models"
    choose_models_folder(str(tmp_path / "Modelle ü"))
    assert models_folder() == tmp_path / "Modelle ü"
    choose_models_folder("")
    assert models_folder() == home / "models"
    monkeypatch.setenv("MARIGOLD_MODELS", str(tmp_path / "farm"))
    assert models_folder() == tmp_path / "farm"
    with pytest.raises(MarigoldError, match="MARIGOLD_MODELS names the models folder"):
        choose_models_folder(str(tmp_path / "other"))


def test_unusable_folders_are_refused_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    for folder, sentence in (("relative", "is not a whole path"), (str(tmp_path / "file"), "is a file")):
        with pytest.raises(MarigoldError, match=sentence):
            choose_models_folder(folder)
        with pytest.raises(MarigoldError, match=sentence):
            move(folder)
    with pytest.raises(MarigoldError, match="cannot be written"):
        choose_models_folder(str(tmp_path / "file" / "below"))
    assert models_folder() == default_models_folder()


def fill(tmp_path: Path) -> int:
    """Two models with shared parts, a half-fetched file, a model of one's own, and a file of somebody else."""
    put_model(V1_1)
    put_model(V1_0)
    register_local_model(shutil.copytree(DEMO, tmp_path / "mine"))
    (models_folder() / ".parts").mkdir()
    (models_folder() / ".parts/sha256-00.part").write_bytes(b"half")
    taken = disk_bytes(models_folder())
    (models_folder() / "notes.txt").write_text("the user's own")
    return taken


def assert_moved(source: Path, target: Path, taken: int) -> None:
    assert models_folder() == target
    for name in (V1_1, V1_0):
        assert status(name).state == "present"
        assert verify_model(named_model(name), lambda *_: None, lambda: None).damaged == ()
    assert (target / V1_1 / SHARED).samefile(target / V1_0 / SHARED)
    assert abs(disk_bytes(target) - taken) < 1000
    assert list(local_models()) == ["mine"]
    assert (target / ".parts/sha256-00.part").read_bytes() == b"half"
    assert [path.name for path in source.iterdir()] == ["notes.txt"]
    assert left_folder() is None


def test_moving_on_one_disk_links(tmp_path):
    taken = fill(tmp_path)
    source, inode = models_folder(), (models_folder() / V1_1 / UNET).stat().st_ino
    move(tmp_path / "new place")
    assert_moved(source, tmp_path / "new place", taken)
    assert (models_folder() / V1_1 / UNET).stat().st_ino == inode


@pytest.fixture
def other_disk(tmp_path):
    """A folder on another disk, where no hard link leads."""
    if not OTHER_DISK.is_dir() or OTHER_DISK.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this computer has no second disk")
    folder = OTHER_DISK / f"marigold-test-{os.getpid()}"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_moving_to_another_disk_copies_shared_parts_once(tmp_path, other_disk):
    taken = fill(tmp_path)
    source = models_folder()
    seen = []
    move_models_folder(other_disk, lambda *update: seen.append(update), lambda: None)
    assert_moved(source, other_disk, taken)
    assert {stage for stage, _, _ in seen} == {"copying"}
    assert seen[-1][1] == seen[-1][2]


def test_a_cancelled_move_leaves_everything_where_it_was(tmp_path, other_disk):
    fill(tmp_path)
    source, pieces = models_folder(), iter(range(8))

    def check() -> None:
        if next(pieces, None) is None:
            raise MarigoldError("cancelled", "Cancelled.")

    with pytest.raises(MarigoldError, match="Cancelled"):
        move_models_folder(other_disk, lambda *_: None, check)
    assert models_folder() == source
    assert status(V1_1).state == "present"
    move(other_disk)  # goes on with what is there
    assert verify_model(named_model(V1_1), lambda *_: None, lambda: None).damaged == ()


def test_a_damaged_file_is_not_copied_as_if_it_were_whole(tmp_path, other_disk):
    put_model(V1_1)
    with (models_folder() / V1_1 / UNET).open("r+b") as file:
        file.write(b"damage")
    move(other_disk)
    assert status(V1_1).state == "damaged"


def test_what_a_killed_move_left_is_deleted_later(tmp_path):
    put_model(V1_1)
    source = models_folder()
    left = tmp_path / "left"
    shutil.copytree(source, left)
    choice = {"folder": str(source), "left": str(left)}
    (tmp_path / "home/models_folder.json").write_text(json.dumps(choice))
    finish_move()
    assert not left.exists()
    assert models_folder() == source
    assert status(V1_1).state == "present"


def test_moving_into_itself_is_refused():
    put_model(V1_1)
    with pytest.raises(MarigoldError, match="lie in each other"):
        move(models_folder() / "below")


def test_moving_nowhere_else_is_nothing():
    put_model(V1_1)
    assert move("") == models_folder()
    assert status(V1_1).state == "present"


def test_a_disk_without_links_is_noticed(tmp_path, other_disk):
    (tmp_path / "file").write_text("")
    other_disk.mkdir()
    assert can_link(tmp_path / "file", tmp_path)
    assert not can_link(tmp_path / "file", other_disk)
    assert list(other_disk.iterdir()) == []


def test_the_lock_is_given_up_with_its_process(tmp_path):
    with changing(tmp_path), pytest.raises(MarigoldError, match="Another program"), changing(tmp_path):
        pass
    with changing(tmp_path):
        pass


def test_manifests_are_read_as_they_were_written():
    manifest = put_model(V1_1)
    assert read_manifest(models_folder() / V1_1) == manifest
    write_manifest(models_folder() / V1_1, replace(manifest, damaged=(UNET,)))
    assert read_manifest(models_folder() / V1_1).damaged == (UNET,)
