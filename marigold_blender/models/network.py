# SPDX-License-Identifier: GPL-3.0-or-later
"""How the hub is reached: endpoint, proxy, token. Set by preferences and the command line, used by the worker.

All three lie in the user's folder, none in a .blend; the token in a file of its own that only its owner may read.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import MarigoldError
from ..paths import user_folder
from .whole_files import cannot_write, read_object, write_whole

HUB = "https://huggingface.co"


@dataclass(frozen=True)
class Network:
    """How to reach the hub.

    Attributes:
        endpoint: the hub or a mirror of it.
        proxy: URL of a proxy; empty: what the system's environment variables say.
        token: proves who asks, for repositories that want to know; never printed.
    """

    endpoint: str = HUB
    proxy: str = ""
    token: str = field(default="", repr=False)


def read_network() -> Network:
    """The settings in force: environment variables (HF_ENDPOINT, HF_TOKEN) before what was saved."""
    saved = read_object(_settings())
    endpoint = os.environ.get("HF_ENDPOINT") or str(saved.get("endpoint") or HUB)
    return Network(endpoint.rstrip("/"), str(saved.get("proxy") or ""), _read_token())


def save_network(endpoint: str = "", proxy: str = "") -> None:
    """Keep endpoint and proxy for all Blenders of this user; empty: the hub itself, the system's proxy.

    Raises:
        MarigoldError: one of them is no URL (`bad_input`), or the user's folder cannot be written (`cannot_write`).
    """
    for what, url, example in (("endpoint", endpoint, HUB), ("proxy", proxy, "http://proxy.example:3128")):
        parts = urlsplit(url)
        if url and (parts.scheme not in ("http", "https", "socks5") or not parts.hostname):
            raise MarigoldError("bad_input", f"The {what} “{url}” is no web address: write it like {example}.")
    saved = asdict(Network(endpoint.rstrip("/"), proxy))
    del saved["token"]
    write_whole(_settings(), json.dumps(saved).encode(), mode=0o600)  # a proxy's URL may hold a password


def save_token(token: str) -> None:
    """Keep the hub's access token for this user; empty: forget it.

    Raises:
        MarigoldError: the user's folder cannot be written (`cannot_write`).
    """
    if token.strip():
        write_whole(_token_file(), token.strip().encode(), mode=0o600)
        return
    try:
        _token_file().unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(_token_file(), error) from error


def has_token() -> bool:
    return bool(_read_token())


def without_secrets(text: str, network: Network) -> str:
    """A text for logs and error details, with token and proxy password struck out."""
    password = urlsplit(network.proxy).password if network.proxy else None
    for secret in filter(None, (network.token, password)):
        text = text.replace(secret, "…")
    return text


def _read_token() -> str:
    """The environment's token, ours, or the one that `hf auth login` has left."""
    for variable in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if token := os.environ.get(variable, "").strip():
            return token
    for path in (_token_file(), _login_file()):
        try:
            if (
                path == _token_file()
                and sys.platform != "win32"
                and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
            ):
                path.chmod(0o600)  # copied from elsewhere, or written by hand
            if token := path.read_text(encoding="utf-8").strip():
                return token
        except (OSError, ValueError):
            continue
    return ""


def _settings() -> Path:
    return user_folder() / "network.json"


def _token_file() -> Path:
    return user_folder() / "hub_token"


def _login_file() -> Path:
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    return Path(os.environ.get("HF_TOKEN_PATH") or Path(home) / "token").expanduser()
