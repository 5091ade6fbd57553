"""How the local hub and its CDN answer: the requests' handlers. Started by `local_hub.LocalHub`."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from tests.local_hub import Faults, LocalHub

PIECE = 1 << 16
SMALL = 1 << 14  # larger files are stored with LFS, and lie on the CDN


def is_lfs(content: bytes) -> bool:
    return len(content) > SMALL


def digest_of(content: bytes) -> str:
    """What the hub calls a file's content: SHA-256 with LFS, else git's blob name."""
    if is_lfs(content):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[_Handler], hub: LocalHub) -> None:
        super().__init__(address, handler)
        self.hub = hub

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no fault of the server."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server
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
            faults = type(faults)(piece_s=faults.piece_s)
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


class HubHandler(_Handler):
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
            body = gzip.compress(content)
            hub.sent[name] += len(body)
            self.reply(200, [*headers, ("ETag", etag), ("Content-Encoding", "gzip")], body)
        else:
            self.send_file(name, content, [*headers, ("ETag", etag)])


class CdnHandler(_Handler):
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
