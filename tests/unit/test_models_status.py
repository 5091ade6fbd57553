"""How models stand on disk, their licences, models of one's own: without a network."""

from __future__ import annotations

import json
import os
import shutil
import time

import pytest

from marigold_blender.errors import MarigoldError
from marigold_blender.models.catalogue import CATALOGUE, DEFAULT_MODEL
from marigold_blender.models.deleting import delete_model
from marigold_blender.models.find import find_model, preferred_model
from marigold_blender.models.folders import models_folder
from marigold_blender.models.licences import LICENCES, accept_licence, is_accepted
from marigold_blender.models.local_models import local_models, register_local_model
from marigold_blender.models.manifest import part_path, read_manifest
from marigold_blender.models.naming import known_models, named_model
from marigold_blender.models.status import forget_statuses, status
from marigold_blender.models.verifying import verify_model
from tests.local_hub import DEMO, UNET
from tests.unit.fetched_models import V1_0, V1_1, put_model

pytestmark = pytest.mark.usefixtures("home")


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
