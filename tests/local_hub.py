"""A model hub on this computer that speaks the real one's protocol, with faults that are switched on one by one.

What huggingface_hub and browsers ask the hub for: `/api/models/ID[/revision/REV]?blobs=true` (commit, files, sizes,
hashes) and `/ID/resolve/REV/PATH` (ETag, X-Repo-Commit; large files redirect to a second server, as to the hub's CDN,
with X-Linked-ETag and X-Linked-Size). Ranges work. Every byte of a file that leaves is counted.

`python -m tests.local_hub FILE` serves the published models' layouts and writes the endpoint's address into FILE.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import marigold_blender
from marigold_blender.models.catalogue import CATALOGUE

DEMO = Path(marigold_blender.__file__).parent / "models" / "demo"
PIECE = 1 << 16
SMALL = 1 << 14  # larger files are stored with LFS, and lie on the CDN
UNET = "unet/diffusion_pytorch_model.fp16.safetensors"
SCHEDULER = "scheduler/scheduler_config.json"


@dataclass
class Faults:
    """What goes wrong; everything is off at first. `path` limits the transfer faults to files whose path ends so.

    Attributes:
        drop_after: bytes of a body after which the connection is cut.
        drops: how many bodies are cut.
        ignore_range: answer 200 with everything to a Range.
        refuse_range: answer 416 to a Range.
        wrong_range: answer 206 from the start, whatever was asked for.
        wrong_bytes: how many bodies have a byte changed.
        stall_after: bytes after which a body stops for good.
        drip_s: pause after every 64 bytes.
        status: answer of the resolver, for `status_times` requests; api_status: of the API.
        cdn_status: answer of the CDN, for `cdn_status_times` requests.
        retry_after: header sent along with these.
        redirect_loop: the resolver redirects to itself.
        gated: only requests with this token are answered.
        not_a_hub: the API answers with a web page.
        names_alone: the API leaves out sizes and hashes, as some mirrors do.
        compressed: bodies of the resolver come gzipped although nobody asked.
        slow_api_s: pause before the API answers.
        piece_s: pause after every 64 KiB, so that a download lasts.
    """

    path: str = ""
    drop_after: int = 0
    drops: int = 1 << 30
    ignore_range: bool = False
    refuse_range: bool = False
    wrong_range: bool = False
    wrong_bytes: int = 0
    stall_after: int = 0
    drip_s: float = 0.0
    status: int = 0
    status_times: int = 1 << 30
    api_status: int = 0
    api_status_times: int = 1 << 30
    cdn_status: int = 0
    cdn_status_times: int = 1 << 30
    retry_after: str = ""
    redirect_loop: bool = False
    gated: str = ""
    not_a_hub: bool = False
    names_alone: bool = False
    compressed: bool = False
    slow_api_s: float = 0.0
    piece_s: float = 0.0


@dataclass
class Repository:
    """Files of one commit, by path."""

    commit: str
    files: dict[str, bytes]


@dataclass
class LocalHub:
    """Two servers, the hub and its CDN, for as long as the `with` block lasts.

    Attributes:
        faults: what goes wrong from now on.
        sent: bytes of file bodies that left, by path.
        requests: every request as (server, method, path, headers).
    """

    repositories: dict[str, Repository] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    sent: Counter[str] = field(default_factory=Counter)
    requests: list[tuple[str, str, str, dict[str, str]]] = field(default_factory=list)

    def __enter__(self) -> LocalHub:
        self._servers = [_Server(("127.0.0.1", 0), handler, self) for handler in (_HubHandler, _CdnHandler)]
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._servers[0].server_port}"

    @property
    def cdn(self) -> str:
        return f"http://127.0.0.1:{self._servers[1].server_port}"

    def asked(self, server: str) -> list[dict[str, str]]:
        """The headers of the GET requests that one of the servers had: `hub` or `cdn`."""
        return [headers for name, method, _, headers in self.requests if (name, method) == (server, "GET")]


def published_models() -> dict[str, Repository]:
    """The demo checkpoint in the layouts of the published models: duplicates, pickles, precisions and all."""
    return {model.hub_id: _published(model.name) for model in CATALOGUE.values() if model.hub_id}


def _published(name: str) -> Repository:
    files = {
        path.relative_to(DEMO).as_posix(): path.read_bytes()
        for path in DEMO.rglob("*")
        if path.is_file() and path.name != "README.md"
    }
    for part, stem in (
        ("unet", "diffusion_pytorch_model"),
        ("vae", "diffusion_pytorch_model"),
        ("text_encoder", "model"),
    ):
        weights = files.pop(f"{part}/{stem}.safetensors")
        if part == "unet":
            weights = marked(weights, name)  # each model has its own; VAE and text encoder are the same
        pickles_only = name == "marigold-depth-lcm-v1-0" and part == "vae"
        if not pickles_only:
            files[f"{part}/{stem}.safetensors"] = marked(weights, f"{name} in full precision")
        if not pickles_only and name != "marigold-e2e-ft-depth":
            files[f"{part}/{stem}.fp16.safetensors"] = weights
        files[f"{part}/{stem}.bin"] = files[f"{part}/{stem}.fp16.bin"] = b"\x80\x04never load this" * 4096
    index, scheduler = json.loads(files["model_index.json"]), json.loads(files[SCHEDULER])
    if name == "marigold-depth-lcm-v1-0":
        index |= {"_class_name": "MarigoldPipeline", "scheduler": ["diffusers", "LCMScheduler"]}
        index.pop("default_denoising_steps")
        scheduler = {
            **{key: scheduler[key] for key in ("beta_end", "beta_schedule", "beta_start", "num_train_timesteps")},
            "_class_name": "LCMScheduler",
            "original_inference_steps": 50,
            "prediction_type": "v_prediction",
            "set_alpha_to_one": True,
            "steps_offset": 0,
            "timestep_spacing": "leading",
        }
    elif name != "marigold-depth-v1-1":
        index |= {"default_denoising_steps": 10}
        scheduler |= {"steps_offset": 1}
        del scheduler["timestep_spacing"], scheduler["rescale_betas_zero_snr"]
    files |= {
        "model_index.json": json.dumps(index).encode(),
        SCHEDULER: json.dumps(scheduler).encode(),
        "README.md": b"# A model\n",
        "LICENSE.txt": b"The licence's text.\n",
        "pipeline.py": b"raise SystemExit('code of a repository was run')\n",
        ".gitattributes": b"*.safetensors filter=lfs\n",
        "tokenizer/script.py": b"raise SystemExit('code of a repository was run')\n",
    }
    commit = CATALOGUE[name].revision or hashlib.sha1(name.encode()).hexdigest()
    return Repository(commit, files)


def marked(safetensors: bytes, word: str) -> bytes:
    """The same tensors with other bytes: a word in the file's metadata."""
    (length,) = struct.unpack("<Q", safetensors[:8])
    header = json.loads(safetensors[8 : 8 + length])
    header["__metadata__"] = {**header.get("__metadata__", {}), "mark": word}
    table = json.dumps(header).encode()
    return struct.pack("<Q", len(table)) + table + safetensors[8 + length :]


def is_lfs(content: bytes) -> bool:
    return len(content) > SMALL


def digest_of(content: bytes) -> str:
    """What the hub calls a file's content: SHA-256 with LFS, else git's blob name."""
    if is_lfs(content):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[_Handler], hub: LocalHub) -> None:
        super().__init__(address, handler)
        self.hub = hub

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no fault of the server."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    name = ""

    def do_GET(self) -> None:
        hub = self.server.hub
        hub.requests.append((self.name, self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        self.answer(hub, hub.faults)

    do_HEAD = do_GET  # noqa: N815

    def answer(self, hub: LocalHub, faults: Faults) -> None:
        raise NotImplementedError

    def reply(self, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b"") -> None:
        self.send_response(status)
        for header, value in headers:
            self.send_header(header, value)
        if self.server.hub.faults.retry_after and status >= 400:
            self.send_header("Retry-After", self.server.hub.faults.retry_after)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def send_file(self, path: str, content: bytes, headers: list[tuple[str, str]]) -> None:
        """A file's body, or the part of it that was asked for, as the faults allow."""
        faults = self.server.hub.faults
        if faults.path and not path.endswith(faults.path):
            faults = Faults(piece_s=faults.piece_s)
        start, status = 0, 200
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and not faults.ignore_range:
            start, status = int(asked[1]), 206
            if faults.refuse_range or start >= len(content):
                self.reply(416, [("Content-Range", f"bytes */{len(content)}")])
                return
            start = 0 if faults.wrong_range else start
            headers = [*headers, ("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")]
        body = content[start:]
        if faults.wrong_bytes:
            faults.wrong_bytes -= 1
            body = bytes([body[0] ^ 1]) + body[1:]
        self.send_response(status)
        for header, value in [*headers, ("Accept-Ranges", "bytes"), ("Content-Length", str(len(body)))]:
            self.send_header(header, value)
        self.end_headers()
        if self.command == "GET":
            self._send_body(path, body, faults)

    def _send_body(self, path: str, body: bytes, faults: Faults) -> None:
        end = len(body)
        if faults.drop_after and faults.drops > 0:
            faults.drops -= 1
            end = min(end, faults.drop_after)
        if faults.stall_after:
            end = min(end, faults.stall_after)
        step = 64 if faults.drip_s else PIECE
        for first in range(0, end, step):
            piece = body[first : min(first + step, end)]
            self.wfile.write(piece)
            self.server.hub.sent[path] += len(piece)
            time.sleep(faults.drip_s or faults.piece_s)
        if faults.stall_after:
            time.sleep(3600)
        if end < len(body):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


class _HubHandler(_Handler):
    name = "hub"

    def answer(self, hub: LocalHub, faults: Faults) -> None:
        url = urlsplit(self.path)
        path = unquote(url.path)
        if path.startswith("/api/models/"):
            self._describe(hub, faults, path.removeprefix("/api/models/"), parse_qs(url.query))
            return
        hub_id, separator, rest = path.removeprefix("/").partition("/resolve/")
        revision, _, name = rest.partition("/")
        self._resolve(hub, faults, hub_id if separator else "", revision, name)

    def _refused(self, faults: Faults, hub: LocalHub, hub_id: str, revision: str) -> bool:
        """Whether the answer has been sent already: nothing there, or not for this user."""
        repository = hub.repositories.get(hub_id)
        if faults.gated and self.headers.get("Authorization") != f"Bearer {faults.gated}":
            status = 403 if self.headers.get("Authorization") else 401
            self.reply(
                status, [("X-Error-Code", "GatedRepo"), ("X-Error-Message", f"Access to {hub_id} is restricted")]
            )
        elif repository is None:
            self.reply(404, [("X-Error-Code", "RepoNotFound"), ("X-Error-Message", "Repository not found")])
        elif revision not in ("main", repository.commit):
            self.reply(404, [("X-Error-Code", "RevisionNotFound"), ("X-Error-Message", "Invalid rev id")])
        else:
            return False
        return True

    def _describe(self, hub: LocalHub, faults: Faults, what: str, query: dict[str, list[str]]) -> None:
        time.sleep(faults.slow_api_s)
        hub_id, _, revision = what.partition("/revision/")
        if faults.not_a_hub:
            self.reply(200, [("Content-Type", "text/html")], b"<html>Please log in to the hotel's network</html>")
        elif faults.api_status and faults.api_status_times > 0:
            faults.api_status_times -= 1
            self.reply(faults.api_status)
        elif not self._refused(faults, hub, hub_id, revision or "main"):
            repository = hub.repositories[hub_id]
            siblings = []
            for name, content in repository.files.items():
                sibling: dict[str, object] = {"rfilename": name}
                if query.get("blobs") and not faults.names_alone:
                    sibling |= {"size": len(content), "blobId": hashlib.sha1(content).hexdigest()}
                    if is_lfs(content):
                        sibling["lfs"] = {"sha256": digest_of(content), "size": len(content), "pointerSize": 134}
                    else:
                        sibling["blobId"] = digest_of(content)
                siblings.append(sibling)
            answer = {"_id": "0", "id": hub_id, "modelId": hub_id, "sha": repository.commit, "siblings": siblings}
            self.reply(200, [("Content-Type", "application/json")], json.dumps(answer).encode())

    def _resolve(self, hub: LocalHub, faults: Faults, hub_id: str, revision: str, name: str) -> None:
        if faults.status and faults.status_times > 0:
            faults.status_times -= 1
            self.reply(faults.status)
            return
        if faults.redirect_loop:
            self.reply(302, [("Location", self.path)])
            return
        if self._refused(faults, hub, hub_id, revision):
            return
        repository = hub.repositories[hub_id]
        content = repository.files.get(name)
        if content is None:
            self.reply(404, [("X-Error-Code", "EntryNotFound"), ("X-Error-Message", "Entry not found")])
            return
        etag = f'"{digest_of(content)}"'
        headers = [("X-Repo-Commit", repository.commit)]
        if is_lfs(content):
            where = f"{hub.cdn}/{hub_id}/{name}?signature=secret"
            linked = [("X-Linked-ETag", etag), ("X-Linked-Size", str(len(content))), ("Location", where)]
            self.reply(302, [*headers, *linked])
        elif faults.compressed:
            import gzip

            body = gzip.compress(content)
            hub.sent[name] += len(body)
            self.reply(200, [*headers, ("ETag", etag), ("Content-Encoding", "gzip")], body)
        else:
            self.send_file(name, content, [*headers, ("ETag", etag)])


class _CdnHandler(_Handler):
    name = "cdn"

    def answer(self, hub: LocalHub, faults: Faults) -> None:
        path = unquote(urlsplit(self.path).path).removeprefix("/")
        owner, repository, name = path.split("/", 2)
        if faults.cdn_status and faults.cdn_status_times > 0:
            faults.cdn_status_times -= 1
            self.reply(faults.cdn_status)
            return
        content = hub.repositories[f"{owner}/{repository}"].files[name]
        self.send_file(name, content, [("ETag", f'"{hashlib.md5(content).hexdigest()}"')])


if __name__ == "__main__":
    with LocalHub(published_models(), Faults(piece_s=float(sys.argv[2]) if len(sys.argv) > 2 else 0.0)) as serving:
        Path(sys.argv[1]).write_text(serving.endpoint)
        threading.Event().wait()
