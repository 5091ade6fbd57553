"""Tiny wheels and a local package index that serves them: slowly, not at all, or wrongly, as a test says."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import os
import shutil
import sys
import sysconfig
import threading
import time
import zipfile
from pathlib import Path

PACKAGES = ("tiny-one", "tiny-two", "tiny-three")
TORCH = "torch-2.13.0+cpu-py3-none-any.whl"


def make_wheel(folder: Path, name: str, files: dict[str, bytes], file_name: str = "") -> Path:
    """A wheel that pip installs, with its record."""
    module, version = name.replace("-", "_"), "1.0"
    if file_name:
        module, version = file_name.split("-")[:2]
    information = f"{module}-{version}.dist-info"
    files = {
        **files,
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {module}\nVersion: {version}\n".encode(),
        f"{information}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(data)}\n"
    files[f"{information}/RECORD"] = (record + f"{information}/RECORD,,\n").encode()
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / (file_name or f"{module}-{version}-py3-none-any.whl")
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return wheel


class PackageIndex:
    """Serves `/simple/NAME/` and the wheels in a folder. Faults are switched on by its attributes.

    Attributes:
        bytes_per_second: of each wheel; 0: as fast as it goes.
        status: answered to everything instead of 200.
        served: names of the wheels that were asked for; completed: those that were sent to the end.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bytes_per_second = 0
        self.status = 200
        self.served: list[str] = []
        self.completed: list[str] = []
        index = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index._answer(self)

            def do_HEAD(self) -> None:  # uv looks before it fetches
                index._answer(self)

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        if self.status != 200:
            request.send_response(self.status)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        if request.path.startswith("/files/"):
            self._send_wheel(request)
            return
        name = request.path.rstrip("/").rsplit("/", 1)[-1].replace("-", "_")
        wheels = [wheel.name for wheel in self.folder.glob("*.whl") if wheel.name.split("-")[0] == name]
        links = "".join(f'<a href="/files/{wheel.replace("+", "%2B")}">{wheel}</a>' for wheel in wheels)
        body = f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
        request.send_response(200 if wheels else 404)
        request.send_header("Content-Type", "text/html")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def _send_wheel(self, request: http.server.BaseHTTPRequestHandler) -> None:
        wheel = self.folder / request.path.removeprefix("/files/").replace("%2B", "+")
        data = wheel.read_bytes()
        request.send_response(200)
        request.send_header("Content-Length", str(len(data)))
        request.send_header("Cache-Control", "max-age=365000000, immutable, public")  # as PyPI's files have it
        request.end_headers()
        if request.command == "HEAD":
            return
        self.served.append(wheel.name)
        step = self.bytes_per_second // 10 or len(data)
        try:
            for start in range(0, len(data), step):
                request.wfile.write(data[start : start + step])
                if self.bytes_per_second:
                    time.sleep(0.1)
        except OSError:
            return  # the client was killed, as many are here
        self.completed.append(wheel.name)


def environment_of(index: PackageIndex, pins: Path) -> dict[str, str | None]:
    """The variables that set pip and the installer to an index, as users do; None: not set."""
    return {
        "PIP_FIND_LINKS": None,
        "PIP_CERT": None,
        "PIP_EXTRA_INDEX_URL": None,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": f"{index.url}/simple",
        "PIP_TRUSTED_HOST": index.url.removeprefix("http://"),  # else pip keeps nothing from it
        "PIP_DEFAULT_TIMEOUT": "5",
        "PIP_RETRIES": "0",
        "MARIGOLD_TORCH_INDEX": f"{index.url}/torch",
        "MARIGOLD_REQUIREMENTS": str(pins),
    }


def find_test_uv() -> str | None:
    """uv of the tests' environment, else of the machine."""
    return shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))


def write_pins(pins: Path, wheels: Path) -> None:
    """Pinned requirements of the tiny packages, and the wheels; the torch among them brings in the tests' real one."""
    sizes = {}
    lines = []
    for number, name in enumerate(PACKAGES):
        wheel = make_wheel(wheels, name, {f"{name.replace('-', '_')}.py": b"#" * 200_000 * (number + 1)})
        lines.append(f"{name}==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
        sizes[name] = {"*": wheel.stat().st_size}
    site = sysconfig.get_path("purelib").encode()
    make_wheel(wheels, "torch", {"real_libraries.pth": site + b"\n", "filler.bin": bytes(300_000)}, TORCH)
    pins.mkdir(parents=True)
    (pins / "packages.txt").write_text("".join(lines))
    (pins / "torch.txt").write_text("torch==2.13.0 --hash=sha256:" + "0" * 64 + "\n")
    (pins / "pip.txt").write_text("pip==999 --hash=sha256:" + "0" * 64 + "\n")
    (pins / "sizes.json").write_text(json.dumps(sizes))
