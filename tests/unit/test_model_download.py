"""What a download fetches, takes from elsewhere, shares, mends and refuses, with a local hub."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import pytest

from marigold_blender.errors import MarigoldError
from marigold_blender.models.catalogue import CATALOGUE
from marigold_blender.models.find import find_model
from marigold_blender.models.folders import models_folder
from marigold_blender.models.naming import named_model
from marigold_blender.models.verifying import verify_model
from marigold_blender.worker.server import permission
from marigold_blender.worker.server.download import download_model
from tests.local_hub import UNET, Repository
from tests.local_hub_answers import digest_of
from tests.unit.fetching import E2E, LCM, QUICK, V1_0, V1_1, assert_whole, fetch, now, refusal


def test_only_what_is_needed_is_fetched_and_once(hub):
    result = fetch()
    assert_whole(hub)
    published = hub.repositories[CATALOGUE[V1_1].hub_id].files
    wanted = {
        "model_index.json", "scheduler/scheduler_config.json", "unet/config.json", "vae/config.json",
        "text_encoder/config.json", "tokenizer/tokenizer.json", "tokenizer/tokenizer_config.json", "LICENSE.txt", UNET,
        "vae/diffusion_pytorch_model.fp16.safetensors", "text_encoder/model.fp16.safetensors",
    }  # fmt: skip
    assert hub.sent == {path: len(published[path]) for path in wanted}
    assert result["fetched_bytes"] == result["bytes"] == sum(hub.sent.values())
    assert result["revision"] == CATALOGUE[V1_1].revision
    assert now().state == "present"
    assert now().bytes_present == now().bytes_total == result["bytes"]


def test_a_second_download_asks_for_nothing(hub):
    fetch()
    hub.requests.clear()
    assert fetch()["fetched_bytes"] == 0
    assert not hub.requests


def test_a_revision_that_is_not_pinned_is_resolved_and_recorded(hub):
    assert CATALOGUE[E2E].revision == ""
    assert fetch(E2E)["revision"] == hub.repositories[CATALOGUE[E2E].hub_id].commit
    resolved = [path for server, _, path, _ in hub.requests if server == "hub" and "/resolve/" in path]
    assert all(hub.repositories[CATALOGUE[E2E].hub_id].commit in path for path in resolved)


def test_full_precision_is_fetched_where_there_is_no_half(hub):
    fetch(E2E)
    assert_whole(hub, E2E)
    assert "unet/diffusion_pytorch_model.safetensors" in hub.sent


def test_what_models_share_is_fetched_and_stored_once(hub):
    fetch(V1_1)
    hub.sent.clear()
    fetch(V1_0)
    assert_whole(hub, V1_0)
    assert not [path for path in hub.sent if path.startswith(("vae/", "text_encoder/")) and path.endswith("tensors")]
    shared = "vae/diffusion_pytorch_model.fp16.safetensors"
    assert (find_model(V1_1) / shared).samefile(find_model(V1_0) / shared)


def test_weights_that_exist_only_as_a_pickle_are_borrowed_as_safetensors(hub):
    fetch(LCM)
    vae = [path.name for path in (find_model(LCM) / "vae").iterdir()]
    assert sorted(vae) == ["config.json", "diffusion_pytorch_model.fp16.safetensors"]
    assert not [path for path in hub.sent if path.endswith((".bin", ".py"))]


def test_a_repository_without_safetensors_is_refused(hub):
    repository = hub.repositories[CATALOGUE[V1_1].hub_id]
    files = {path: content for path, content in repository.files.items() if not path.endswith(".safetensors")}
    hub.repositories[CATALOGUE[V1_1].hub_id] = Repository(repository.commit, files)
    error = refusal()
    assert (error.kind, "has no unet/diffusion_pytorch_model.safetensors" in error.message) == ("no_model", True)
    assert not hub.sent


def test_another_content_than_the_catalogue_knows_is_refused(hub, monkeypatch):
    monkeypatch.setitem(CATALOGUE, V1_0, dataclasses.replace(CATALOGUE[V1_0], sha256={UNET: "0" * 64}))
    assert "is not the one that this version of the extension knows" in refusal(V1_0).message
    assert not hub.sent


def test_what_the_hub_s_own_cache_has_is_not_fetched(hub, tmp_path):
    repository = hub.repositories[CATALOGUE[V1_1].hub_id]
    fill_cache(tmp_path / "huggingface/hub", CATALOGUE[V1_1].hub_id, repository)
    fetch()
    assert_whole(hub)
    assert not hub.sent


def test_a_damaged_cache_is_not_believed(hub, tmp_path):
    repository = hub.repositories[CATALOGUE[V1_1].hub_id]
    damaged = {path: content[:-1] + b"?" if path == UNET else content for path, content in repository.files.items()}
    digests = {path: digest_of(content) for path, content in repository.files.items()}
    fill_cache(tmp_path / "huggingface/hub", CATALOGUE[V1_1].hub_id, Repository(repository.commit, damaged), digests)
    fetch()
    assert_whole(hub)
    assert list(hub.sent) == [UNET]


def fill_cache(cache: Path, hub_id: str, repository: Repository, digests: dict[str, str] | None = None) -> None:
    """The layout of huggingface_hub: blobs named by their ETags, snapshots of links to them."""
    folder = cache / f"models--{hub_id.replace('/', '--')}"
    for path, content in repository.files.items():
        blob = folder / "blobs" / (digests[path] if digests else digest_of(content))
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(content)
        link = folder / "snapshots" / repository.commit / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    (folder / "refs").mkdir()
    (folder / "refs/main").write_text(repository.commit)


def test_without_a_network_the_hub_s_own_cache_is_enough(hub, tmp_path):
    fill_cache(tmp_path / "huggingface/hub", CATALOGUE[V1_1].hub_id, hub.repositories[CATALOGUE[V1_1].hub_id])
    permission.give(False)
    assert fetch()["fetched_bytes"] == 0
    assert hub.requests == []
    assert_whole(hub)


def test_without_an_accepted_licence_nothing_is_sent(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("MARIGOLD_HOME", str(tmp_path / "another"))
    error = refusal()
    assert (error.kind, error.fix, hub.requests) == ("licence", "marigold.accept_licence", [])


def test_a_damaged_file_is_found_and_only_it_is_fetched_again(hub):
    fetch()
    with (find_model(V1_1) / UNET).open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"damage")
    assert now().state == "present"  # sizes do not show it
    found = verify_model(named_model(V1_1), lambda *_: None, lambda: None)
    assert found.damaged == (UNET,)
    assert now().state == "damaged"
    with pytest.raises(MarigoldError, match="damaged"):
        find_model(V1_1)
    hub.sent.clear()
    fetch()
    assert list(hub.sent) == [UNET]
    assert_whole(hub)
    assert verify_model(named_model(V1_1), lambda *_: None, lambda: None).damaged == ()


def test_a_missing_or_cut_file_is_seen_without_a_check(hub):
    fetch()
    os.truncate(find_model(V1_1) / UNET, 1000)
    (models_folder() / V1_1 / "unet/config.json").unlink()
    assert now().state == "damaged"
    hub.sent.clear()
    fetch()
    assert set(hub.sent) == {UNET, "unet/config.json"}
    assert_whole(hub)


def test_a_damaged_shared_file_is_not_taken_over(hub):
    fetch(V1_1)
    shared = "vae/diffusion_pytorch_model.fp16.safetensors"
    with (find_model(V1_1) / shared).open("r+b") as file:
        file.write(b"damage")
    fetch(V1_0)
    assert_whole(hub, V1_0)
    assert now(V1_1).state == "damaged"
    hub.sent.clear()
    fetch(V1_1)
    assert not hub.sent  # now the other one lends it
    assert_whole(hub, V1_1)


def test_a_model_put_there_by_hand_is_completed(hub):
    published = hub.repositories[CATALOGUE[V1_1].hub_id].files
    for path in (UNET, "model_index.json", "vae/config.json"):
        place = models_folder() / V1_1 / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(published[path] if path != "vae/config.json" else b"?" * len(published[path]))
    fetch()
    assert_whole(hub)
    assert UNET not in hub.sent
    assert "vae/config.json" in hub.sent


def test_what_a_killed_copy_left_is_removed(hub):
    fetch()
    stray = models_folder() / V1_1 / "unet/.diffusion_pytorch_model.fp16.safetensors.0a1b2c3d"
    stray.write_bytes(b"half a copy")
    fetch()
    assert not stray.exists()
    assert_whole(hub)


def test_progress_is_true_and_never_runs_backwards(hub):
    seen: list[tuple[str, int, int]] = []
    download_model(V1_1, lambda *update: seen.append(update), lambda: False, QUICK)
    done = [count for stage, count, _ in seen if stage == "downloading"]
    assert done == sorted(done)
    assert {total for stage, _, total in seen if stage == "downloading"} == {done[-1]} == {now().bytes_total}


def test_too_little_room_is_said_before_anything_is_fetched(hub, monkeypatch):

    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 50_000_000))
    error = refusal()
    assert (error.kind, "0.1 GB free: make room there" in error.message) == ("cannot_write", True)
    assert not hub.sent


def test_a_models_folder_that_is_a_file(hub, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MARIGOLD_MODELS", str(tmp_path / "file" / "models"))
    assert refusal().kind == "cannot_write"


def test_the_bundled_model_needs_no_download(hub):
    assert "needs no download" in refusal("demo").message


def test_an_unknown_name_lists_what_there_is(hub):
    assert "marigold-depth-v1-1" in refusal("nothing").message
