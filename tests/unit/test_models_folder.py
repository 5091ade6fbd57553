"""The models folder without a network: how models stand, licences, models of one's own, deleting, moving, settings."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from marigold_blender.errors import MarigoldError
from marigold_blender.models.catalogue import CATALOGUE, DEFAULT_MODEL
from marigold_blender.models.changing import changing
from marigold_blender.models.deleting import delete_model
from marigold_blender.models.find import find_model, preferred_model
from marigold_blender.models.folders import choose_models_folder, default_models_folder, left_folder, models_folder
from marigold_blender.models.licences import LICENCES, accept_licence, is_accepted
from marigold_blender.models.local_models import local_models, register_local_model
from marigold_blender.models.manifest import Manifest, ModelFile, part_path, read_manifest, write_manifest
from marigold_blender.models.moving import finish_move, move_models_folder
from marigold_blender.models.naming import known_models, named_model
from marigold_blender.models.network import HUB, has_token, read_network, save_network, save_token, without_secrets
from marigold_blender.models.sharing import can_link
from marigold_blender.models.status import forget_statuses, status
from marigold_blender.models.verifying import verify_model
from tests.local_hub import DEMO, digest_of, is_lfs, published_models

V1_1, V1_0 = "marigold-depth-v1-1", "marigold-depth-v1-0"
SHARED = "vae/diffusion_pytorch_model.fp16.safetensors"
UNET = "unet/diffusion_pytorch_model.fp16.safetensors"
OTHER_DISK = Path("/dev/shm")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("MARIGOLD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    forget_statuses()
    return tmp_path / "home"


def put_model(name: str, complete: bool = True, leave_out: str = "") -> Manifest:
    """A model as a download leaves it: its files, its manifest; parts that another has are hard links."""
    repository = published_models()[CATALOGUE[name].hub_id]
    files = []
    for path, content in repository.files.items():
        if path.endswith((".bin", ".py", ".md")) or path == ".gitattributes":
            continue
        if path.endswith(".safetensors") and "fp16" not in path:
            continue
        digest = f"{'sha256' if is_lfs(content) else 'git'}:{digest_of(content)}"
        files.append(ModelFile(path, len(content), digest, CATALOGUE[name].hub_id, repository.commit))
        place = models_folder() / name / path
        place.parent.mkdir(parents=True, exist_ok=True)
        others = [models_folder() / other / path for other in (V1_1, V1_0) if other != name]
        twin = next((other for other in others if other.is_file() and other.read_bytes() == content), None)
        if path == leave_out:
            continue
        os.link(twin, place) if twin else place.write_bytes(content)
    manifest = Manifest(
        name, CATALOGUE[name].hub_id, repository.commit, CATALOGUE[name].licence, False, tuple(files), complete
    )
    write_manifest(models_folder() / name, manifest)
    forget_statuses()
    return manifest


def disk_bytes(folder: Path) -> int:
    """What a folder takes on disk, links counted once."""
    facts = {(s.st_dev, s.st_ino): s.st_size for s in (path.stat() for path in folder.rglob("*") if path.is_file())}
    return sum(facts.values())


def move(folder: str | Path) -> Path:
    return move_models_folder(folder, lambda *_: None, lambda: None)


# How models stand


def test_the_bundled_model_is_there_and_the_published_ones_are_not():
    assert status("demo").state == "present"
    assert status("demo").accepted
    assert find_model("demo") == DEMO
    assert preferred_model() == "demo"
    assert DEFAULT_MODEL == V1_1
    for name, model in CATALOGUE.items():
        if model.hub_id:
            now = status(name)
            assert (now.state, now.bytes_present, now.accepted) == ("absent", 0, False)
            assert now.bytes_total > 2e9


def test_every_entry_can_be_shown_and_licensed():
    for model in known_models().values():
        assert model.label
        assert model.description
        assert model.licence in LICENCES
        assert model.scheduler
        assert model.steps > 0
        assert model.task == "depth"
        assert set(model.borrowed.values()) <= set(CATALOGUE)


def test_an_absent_model_says_how_to_get_it():
    with pytest.raises(MarigoldError) as caught:
        find_model(V1_1)
    assert (caught.value.kind, caught.value.fix) == ("no_model", "marigold.download_model")
    assert caught.value.message == (
        "Marigold 1.1 is not downloaded (2.6 GB): download it in the sidebar, or by "
        "`marigold models download marigold-depth-v1-1`."
    )


def test_a_model_is_found_by_name_hub_id_and_path(tmp_path):
    put_model(V1_1)
    folder = models_folder() / V1_1
    assert find_model(V1_1) == find_model("prs-eth/marigold-depth-v1-1") == find_model(str(folder)) == folder
    assert preferred_model() == V1_1
    with pytest.raises(MarigoldError, match="or the path of a folder"):
        find_model(str(tmp_path / "nothing"))


def test_states_follow_the_files():
    manifest = put_model(V1_1, complete=False, leave_out=UNET)
    unet = next(file for file in manifest.files if file.path == UNET)
    part = part_path(models_folder(), unet)
    part.parent.mkdir()
    part.write_bytes(b"x" * 1000)
    now = status(V1_1)
    assert (now.state, now.bytes_total - now.bytes_present) == ("partial", unet.bytes - 1000)

    put_model(V1_1)
    assert status(V1_1).state == "present"
    os.truncate(models_folder() / V1_1 / UNET, 10)
    forget_statuses()
    assert status(V1_1).state == "damaged"


def test_status_is_cheap_enough_to_draw_from():
    put_model(V1_1)
    status(V1_1)
    started = time.perf_counter()
    for _ in range(100):
        for name in CATALOGUE:
            status(name)
    assert (time.perf_counter() - started) / 100 < 0.001
    forget_statuses()
    started = time.perf_counter()
    status(V1_1)
    assert time.perf_counter() - started < 0.02  # a fresh look, once in three seconds


def test_a_half_written_manifest_is_no_model():
    put_model(V1_1)
    path = models_folder() / V1_1 / "marigold.json"
    path.write_text(path.read_text()[:500])
    assert read_manifest(models_folder() / V1_1) is None


def test_verify_finds_every_changed_byte():
    put_model(V1_1)
    seen = []
    model = named_model(V1_1)
    assert verify_model(model, lambda *update: seen.append(update), lambda: None).damaged == ()
    assert seen[-1][1] == seen[-1][2] == status(V1_1).bytes_total
    config = models_folder() / V1_1 / "unet/config.json"
    config.write_bytes(config.read_bytes().replace(b"1", b"2", 1))
    assert verify_model(model, lambda *_: None, lambda: None).damaged == ("unet/config.json",)
    assert status(V1_1).state == "damaged"


def test_verify_of_a_model_without_hashes_finds_what_is_cut_short(tmp_path):
    folder = shutil.copytree(DEMO, tmp_path / "mine")
    model = register_local_model(folder)
    assert verify_model(model, lambda *_: None, lambda: None).damaged == ()
    for name in ("unet/diffusion_pytorch_model.safetensors", "vae/config.json"):
        os.truncate(folder / name, 100)
    found = verify_model(model, lambda *_: None, lambda: None).damaged
    assert sorted(found) == ["unet/diffusion_pytorch_model.safetensors", "vae/config.json"]


# Licences


def test_a_licence_is_accepted_once_for_all_its_models(home):
    assert not is_accepted("Apache-2.0")
    accept_licence("Apache-2.0")
    assert is_accepted("Apache-2.0")
    assert not is_accepted("OpenRAIL++-M")
    forget_statuses()
    assert status(V1_0).accepted
    assert not status(V1_1).accepted
    assert list(json.loads((home / "licences.json").read_text())) == ["Apache-2.0"]


def test_an_unknown_licence_cannot_be_accepted():
    with pytest.raises(MarigoldError, match="There is no licence “MIT”"):
        accept_licence("MIT")


# Models of one's own


def test_a_trained_folder_appears_in_the_list(tmp_path):
    folder = shutil.copytree(DEMO, tmp_path / "runs/My Kitchen/checkpoint")
    model = register_local_model(folder)
    assert (model.name, model.label) == ("my-kitchen", "My Kitchen")
    assert find_model("my-kitchen") == folder
    now = status("my-kitchen")
    assert (now.state, now.accepted, now.licence) == ("present", True, "")
    register_local_model(folder, "Kitchen, 20 000 steps")  # again: the same entry
    assert [model.label for model in local_models().values()] == ["Kitchen, 20 000 steps"]
    assert register_local_model(shutil.copytree(DEMO, tmp_path / "demo")).name == "demo-2"


def test_a_folder_that_is_no_depth_model_is_refused(tmp_path):
    (tmp_path / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(MarigoldError, match="is no Marigold model for depth"):
            register_local_model(folder)
    assert local_models() == {}


def test_a_registered_folder_that_is_gone_is_named(tmp_path):
    folder = shutil.copytree(DEMO, tmp_path / "gone")
    register_local_model(folder)
    shutil.rmtree(folder)
    with pytest.raises(MarigoldError, match="is not there any more"):
        find_model("gone")


def test_deleting_a_registered_folder_only_takes_it_off_the_list(tmp_path):
    folder = shutil.copytree(DEMO, tmp_path / "mine")
    register_local_model(folder)
    assert delete_model("mine") == 0
    assert local_models() == {}
    assert (folder / "model_index.json").is_file()


# Deleting


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


# The folder


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


# The network's settings


def test_the_token_is_kept_where_only_its_owner_reads_it(home):
    assert not has_token()
    save_token(" hf_secret\n")
    assert read_network().token == "hf_secret"
    assert stat.S_IMODE((home / "hub_token").stat().st_mode) == 0o600
    (home / "hub_token").chmod(0o644)
    assert has_token()
    assert stat.S_IMODE((home / "hub_token").stat().st_mode) == 0o600
    assert "hf_secret" not in repr(read_network())
    save_token("")
    assert not has_token()


def test_the_environment_goes_before_what_was_saved(monkeypatch):
    save_token("saved")
    save_network("https://mirror.example/", "http://user:pass@proxy.example:3128")
    network = read_network()
    assert (network.endpoint, network.proxy) == ("https://mirror.example", "http://user:pass@proxy.example:3128")
    assert without_secrets("saved by user:pass@proxy", network) == "… by user:…@proxy"
    monkeypatch.setenv("HF_ENDPOINT", "https://other.example")
    monkeypatch.setenv("HF_TOKEN", "from the environment")
    assert (read_network().endpoint, read_network().token) == ("https://other.example", "from the environment")
    monkeypatch.delenv("HF_ENDPOINT")
    save_network()
    assert read_network().endpoint == HUB


@pytest.mark.parametrize("arguments", [("huggingface",), ("", "proxy:3128")])
def test_what_is_no_address_is_refused(arguments):
    with pytest.raises(MarigoldError, match="is no web address"):
        save_network(*arguments)


def test_a_login_of_the_hub_s_own_tool_is_used(tmp_path):
    (tmp_path / "huggingface").mkdir()
    (tmp_path / "huggingface/token").write_text("hf_login\n")
    assert read_network().token == "hf_login"


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
