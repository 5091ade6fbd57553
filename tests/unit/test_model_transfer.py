"""A local hub's faults switched on one by one: every download gets over them or says in one sentence why not."""

from __future__ import annotations

import dataclasses
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from marigold_blender.errors import MarigoldError
from marigold_blender.models.catalogue import CATALOGUE
from marigold_blender.models.find import find_model
from marigold_blender.models.folders import models_folder
from marigold_blender.models.network import save_network, save_token
from marigold_blender.worker.server import permission
from marigold_blender.worker.server.download import download_model
from marigold_blender.worker.server.patience import Patience
from tests.local_hub import UNET, Repository
from tests.local_hub_answers import PIECE, digest_of, is_lfs
from tests.unit.fetching import QUICK, V1_1, assert_whole, fetch, half_fetched, now, refusal

TOKEN = "hf_secretsecretsecret"


def test_a_broken_connection_goes_on_where_it_broke(hub):
    hub.faults.drop_after = 1_500_000
    fetch()
    assert_whole(hub)
    size = len(hub.repositories[CATALOGUE[V1_1].hub_id].files[UNET])
    assert hub.sent[UNET] == size
    ranges = [headers["range"] for headers in hub.asked("cdn") if "range" in headers]
    assert ranges[-1] == f"bytes={size // 1_500_000 * 1_500_000}-"


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


def test_without_leave_nothing_is_sent(hub):
    permission.give(False)
    error = refusal()
    assert (error.kind, hub.requests) == ("offline", [])
    assert "allow it in Blender's Preferences › System › Network" in error.message


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


def test_the_local_hub_is_one_for_huggingface_hub_too(hub, tmp_path):
    """The stand-in speaks the protocol that the hub's own client expects, so that the tests above mean something."""
    from huggingface_hub import hf_hub_download

    published = hub.repositories[CATALOGUE[V1_1].hub_id]
    for name in (UNET, "unet/config.json"):
        path = hf_hub_download(CATALOGUE[V1_1].hub_id, name, endpoint=hub.endpoint, cache_dir=tmp_path, token=False)
        assert Path(path).read_bytes() == published.files[name]
        assert Path(path).resolve().name == digest_of(published.files[name])
    assert is_lfs(published.files[UNET])
