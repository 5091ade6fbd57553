"""Downloads from a local hub that speaks the real one's protocol, with its faults switched on one by one."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from marigold_blender.errors import MarigoldError
from marigold_blender.models.catalogue import CATALOGUE
from marigold_blender.models.find import find_model
from marigold_blender.models.folders import models_folder
from marigold_blender.models.licences import LICENCES, accept_licence
from marigold_blender.models.naming import named_model
from marigold_blender.models.network import save_network, save_token
from marigold_blender.models.status import ModelStatus, forget_statuses, status
from marigold_blender.models.verifying import verify_model
from marigold_blender.worker.server import permission
from marigold_blender.worker.server.download import download_model
from marigold_blender.worker.server.patience import Patience
from tests.local_hub import PIECE, UNET, LocalHub, Repository, digest_of, is_lfs, published_models

V1_1, V1_0, LCM, E2E = "marigold-depth-v1-1", "marigold-depth-v1-0", "marigold-depth-lcm-v1-0", "marigold-e2e-ft-depth"
QUICK = Patience(stall_s=0.5, tries=3, wait_s=0.02)
TOKEN = "hf_secretsecretsecret"


@pytest.fixture(scope="module")
def repositories() -> dict[str, Repository]:
    return published_models()


@pytest.fixture
def hub(repositories, tmp_path, monkeypatch) -> Iterator[LocalHub]:
    """A hub, a user who has accepted all licences, and a catalogue that knows no hashes: the demo stands in."""
    monkeypatch.setenv("MARIGOLD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    for name, model in list(CATALOGUE.items()):
        monkeypatch.setitem(CATALOGUE, name, dataclasses.replace(model, sha256={}))
    for licence in LICENCES:
        accept_licence(licence)
    permission.give(True)
    with LocalHub(dict(repositories)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub
    permission.give(False)


def fetch(name: str = V1_1, patience: Patience = QUICK) -> dict:
    return download_model(name, lambda *_: None, lambda: False, patience)


def refusal(name: str = V1_1, patience: Patience = QUICK) -> MarigoldError:
    with pytest.raises(MarigoldError) as caught:
        fetch(name, patience)
    assert caught.value.message.endswith(".")
    assert "\n" not in caught.value.message
    return caught.value


def now(name: str = V1_1) -> ModelStatus:
    forget_statuses()
    return status(name)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "marigold.json")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def assert_whole(hub: LocalHub, name: str = V1_1) -> None:
    """The model can be used, every file is the published one, and nothing else is there."""
    published = hub.repositories[CATALOGUE[name].hub_id].files
    there = contents(find_model(name))
    assert there == {path: published[path] for path in there}
    assert not list((models_folder() / ".parts").glob("*"))


def half_fetched(hub: LocalHub) -> int:
    """Break a download in the middle of the U-Net; the bytes that are there of it."""
    hub.faults.path, hub.faults.drop_after = UNET, 5_000_000
    refusal(patience=Patience(stall_s=0.5, tries=1))
    hub.faults.path, hub.faults.drop_after = "", 0
    (part,) = (models_folder() / ".parts").glob("*.part")
    assert part.stat().st_size == 5_000_000
    return 5_000_000


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


def test_a_broken_connection_goes_on_where_it_broke(hub):
    hub.faults.drop_after = 1_500_000
    fetch()
    assert_whole(hub)
    assert hub.sent[UNET] == len(hub.repositories[CATALOGUE[V1_1].hub_id].files[UNET])
    ranges = [headers["range"] for headers in hub.asked("cdn") if "range" in headers]
    assert ranges[-1] == f"bytes={8 * 1_500_000}-"


def test_an_interrupted_download_goes_on_later(hub):
    held = half_fetched(hub)
    assert now().state == "partial"
    assert now().bytes_present > held
    with pytest.raises(MarigoldError, match="not finished"):
        find_model(V1_1)
    fetch()
    assert_whole(hub)
    assert hub.sent[UNET] == len(hub.repositories[CATALOGUE[V1_1].hub_id].files[UNET])


@pytest.mark.parametrize("fault", ["ignore_range", "refuse_range", "wrong_range"])
def test_a_server_without_ranges_starts_over(hub, fault):
    held = half_fetched(hub)
    setattr(hub.faults, fault, True)
    hub.faults.piece_s = 0.005
    fetch()
    assert_whole(hub)
    # what is of no use is noticed by its head, not after its bytes have come
    assert hub.sent[UNET] < held + len(hub.repositories[CATALOGUE[V1_1].hub_id].files[UNET]) + 48 * PIECE


def test_wrong_bytes_are_noticed_and_fetched_again(hub):
    hub.faults.path, hub.faults.wrong_bytes = UNET, 1
    fetch()
    assert_whole(hub)
    published = hub.repositories[CATALOGUE[V1_1].hub_id].files
    assert hub.sent == {path: len(published[path]) * (2 if path == UNET else 1) for path in hub.sent}


def test_bytes_that_stay_wrong_never_get_into_place(hub):
    hub.faults.path, hub.faults.wrong_bytes = UNET, 9
    assert "sends another unet/" in refusal().message
    assert now().state == "partial"
    assert not (now().folder / UNET).exists()
    hub.faults.wrong_bytes = 0
    fetch()
    assert_whole(hub)


@pytest.mark.parametrize(("fault", "value"), [("stall_after", 300_000), ("drip_s", 0.02)])
def test_a_server_that_falls_silent_or_drips_is_left(hub, fault, value):
    hub.faults.path = UNET
    setattr(hub.faults, fault, value)
    started = time.monotonic()
    error = refusal(patience=Patience(stall_s=0.5, least_bytes_per_s=100_000, tries=2, wait_s=0.02))
    assert time.monotonic() - started < 5
    assert (error.kind, "does not answer" in error.message) == ("network", True)
    setattr(hub.faults, fault, 0)
    fetch()
    assert_whole(hub)
    assert hub.sent[UNET] < 1.1 * len(hub.repositories[CATALOGUE[V1_1].hub_id].files[UNET])


@pytest.mark.parametrize("token", ["", "hf_anothers"], ids=["without", "another's"])
def test_a_gated_repository_wants_a_good_token(hub, token):
    hub.faults.gated = TOKEN
    save_token(token)
    error = refusal()
    assert error.kind == "network"
    assert ("does not open" if token else "opens prs-eth/marigold-depth-v1-1 only to those it knows") in error.message
    assert not token or token not in error.message + error.details


def test_the_token_goes_to_the_hub_and_nowhere_else(hub, capfd):
    hub.faults.gated = TOKEN
    save_token(f"  {TOKEN}\n")
    fetch()
    assert_whole(hub)
    assert {headers.get("authorization") for headers in hub.asked("hub")} == {f"Bearer {TOKEN}"}
    assert {headers.get("authorization") for headers in hub.asked("cdn")} == {None}
    assert TOKEN not in "".join(capfd.readouterr())
    kept = [path for path in models_folder().rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert kept == []


def test_the_token_is_struck_out_of_what_fails(hub):
    save_token(TOKEN)
    hub.faults.api_status = 418
    error = refusal()
    assert TOKEN not in error.message + error.details


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({"api_status": 404}, "has no prs-eth/marigold-depth-v1-1"),
        ({"api_status": 503}, "cannot go on (status 503)"),
        ({"api_status": 418}, "status 418"),
        ({"status": 404}, "has no LICENSE.txt"),
        ({"status": 403}, "only to those it knows"),
        ({"status": 429}, "too many requests"),
        ({"cdn_status": 403}, "refuses with status 403"),
        ({"cdn_status": 500}, "status 500"),
        ({"redirect_loop": True}, "round in circles"),
        ({"not_a_hub": True}, "does not answer like a model hub"),
    ],
    ids=str,
)
def test_a_refusal_is_one_sentence_and_is_got_over(hub, fault, sentence):
    hub.faults = dataclasses.replace(hub.faults, **fault)
    error = refusal()
    assert sentence in error.message
    assert error.kind == "network"
    assert "signature" not in error.message + error.details  # of the CDN's address
    hub.faults = type(hub.faults)()
    fetch()
    assert_whole(hub)


@pytest.mark.parametrize("fault", ["api_status", "status", "cdn_status"])
def test_a_busy_server_is_asked_again_when_it_says(hub, fault):
    hub.faults = dataclasses.replace(hub.faults, **{fault: 429, f"{fault}_times": 2}, retry_after="0.3")
    started = time.monotonic()
    fetch()
    assert time.monotonic() - started > 0.6
    assert_whole(hub)


def test_an_unknown_revision_is_named(hub):
    hub.repositories[CATALOGUE[V1_1].hub_id] = Repository("f" * 40, {})
    assert "no such revision" in refusal().message


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


@pytest.mark.parametrize("fault", ["names_alone", "compressed"])
def test_mirrors_with_habits_of_their_own(hub, fault):
    setattr(hub.faults, fault, True)
    fetch()
    assert_whole(hub)


def test_an_endpoint_that_is_not_there(hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "cannot go on (no connection" in refusal().message


def test_through_a_proxy(hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    asked: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            wanted = {
                name: value for name, value in self.headers.items() if name.lower() in ("range", "accept-encoding")
            }
            real = self.path.replace("http://hub.invalid", hub.endpoint)
            with urlopen(Request(real, headers=wanted)) as answer:
                body = answer.read()
                self.send_response(answer.status)
                for name in ("Content-Type", "Content-Length", "Content-Range"):
                    if name in answer.headers:
                        self.send_header(name, answer.headers[name])
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        save_network(proxy=f"http://user:password@127.0.0.1:{server.server_port}")
        fetch()
    finally:
        server.shutdown()
        server.server_close()
    assert_whole(hub)
    assert all(url.startswith("http://hub.invalid/") for url in asked)


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


def test_without_leave_nothing_is_sent(hub):
    permission.give(False)
    error = refusal()
    assert (error.kind, hub.requests) == ("offline", [])
    assert "allow it in Blender's Preferences › System › Network" in error.message


def test_without_a_network_the_hub_s_own_cache_is_enough(hub, tmp_path):
    fill_cache(tmp_path / "huggingface/hub", CATALOGUE[V1_1].hub_id, hub.repositories[CATALOGUE[V1_1].hub_id])
    permission.give(False)
    assert fetch()["fetched_bytes"] == 0
    assert hub.requests == []
    assert_whole(hub)


def test_leave_that_is_taken_back_stops_at_once(hub):
    hub.faults.piece_s = 0.02
    taken_back: list[float] = []

    def report(stage: str, done: int, total: int) -> None:
        if done > 4e6 and not taken_back:  # in the middle of the U-Net
            taken_back.append(time.monotonic())
            permission.give(False)

    with pytest.raises(MarigoldError) as caught:
        download_model(V1_1, report, lambda: False, QUICK)
    assert caught.value.kind == "offline"
    assert time.monotonic() - taken_back[0] < 0.5
    assert hub.sent[UNET] < 4e6


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


@pytest.mark.parametrize("fault", [{"slow_api_s": 5.0}, {"stall_after": 1000}, {"piece_s": 0.05}], ids=str)
def test_a_cancel_is_obeyed_at_once(hub, fault):
    hub.faults = dataclasses.replace(hub.faults, **fault)
    cancel_at = time.monotonic() + 0.6
    with pytest.raises(MarigoldError) as caught:
        download_model(V1_1, lambda *_: None, lambda: time.monotonic() > cancel_at, Patience())
    assert caught.value.kind == "cancelled"
    assert 0 < time.monotonic() - cancel_at < 0.5
    hub.faults = type(hub.faults)()
    fetch()
    assert_whole(hub)


def test_progress_is_true_and_never_runs_backwards(hub):
    seen: list[tuple[str, int, int]] = []
    download_model(V1_1, lambda *update: seen.append(update), lambda: False, QUICK)
    done = [count for stage, count, _ in seen if stage == "downloading"]
    assert done == sorted(done)
    assert {total for stage, _, total in seen if stage == "downloading"} == {done[-1]} == {now().bytes_total}


def test_too_little_room_is_said_before_anything_is_fetched(hub, monkeypatch):
    import shutil

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


def test_the_local_hub_is_one_for_huggingface_hub_too(hub, tmp_path):
    """The stand-in speaks the protocol that the hub's own client expects, so that the tests above mean something."""
    from huggingface_hub import hf_hub_download

    published = hub.repositories[CATALOGUE[V1_1].hub_id]
    for name in (UNET, "unet/config.json"):
        path = hf_hub_download(CATALOGUE[V1_1].hub_id, name, endpoint=hub.endpoint, cache_dir=tmp_path, token=False)
        assert Path(path).read_bytes() == published.files[name]
        assert Path(path).resolve().name == digest_of(published.files[name])
    assert is_lfs(published.files[UNET])
