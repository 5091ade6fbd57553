# SPDX-License-Identifier: GPL-3.0-or-later
"""pip's own configuration, read as pip reads it, and told to uv in uv's words. Used by `plan` and `build`.

pip itself needs no help: it finds its files and variables. uv looks at neither, so a mirror, proxy or wheel folder that
was set up for pip would be passed by.
"""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Where they would put the packages elsewhere, or silence the progress: the environment alone decides that.
DROPPED = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_QUIET", "PIP_VERBOSE", "PIP_LOG", "PIP_PYTHON")
NO = ("", "0", "false", "no", "off")


@dataclass(frozen=True)
class PipSettings:
    """What the user has set for pip; empty where nothing."""

    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    trusted_hosts: tuple[str, ...] = ()
    cert: str = ""
    client_cert: str = ""
    proxy: str = ""
    timeout: str = ""
    cache_dir: str = ""

    @property
    def names_places(self) -> bool:
        """Whether packages come from elsewhere than PyPI too."""
        return bool(self.index_url or self.extra_index_urls or self.find_links or self.no_index)


def read_pip_settings(
    environ: Mapping[str, str] | None = None, platform: str = sys.platform, home: Path | None = None
) -> PipSettings:
    """pip's configuration files (global, user) and then its environment variables, the later ones winning."""
    environ = os.environ if environ is None else environ
    values: dict[str, str] = {}
    for file in configuration_files(environ, platform, home or Path.home()):
        values |= _values_of(file)
    for name, value in environ.items():
        if name.startswith("PIP_") and value and name != "PIP_CONFIG_FILE":
            values[name.removeprefix("PIP_").lower().replace("_", "-")] = value

    def many(key: str) -> tuple[str, ...]:
        return tuple(values.get(key, "").split())

    return PipSettings(
        index_url=values.get("index-url", ""),
        extra_index_urls=many("extra-index-url"),
        find_links=many("find-links"),
        no_index=values.get("no-index", "").lower() not in NO,
        trusted_hosts=many("trusted-host"),
        cert=values.get("cert", ""),
        client_cert=values.get("client-cert", ""),
        proxy=values.get("proxy", ""),
        timeout=values.get("timeout") or values.get("default-timeout", ""),
        cache_dir=values.get("cache-dir", ""),
    )


def configuration_files(environ: Mapping[str, str], platform: str, home: Path) -> list[Path]:
    """pip's files in the order in which they override each other (pip's documentation, “Location”)."""
    named = environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return []
    if platform == "win32":
        shared = [Path(environ.get("ProgramData") or "C:/ProgramData", "pip", "pip.ini")]
        user = [home / "pip" / "pip.ini", Path(environ.get("APPDATA") or home / "AppData/Roaming", "pip", "pip.ini")]
    elif platform == "darwin":
        shared = [Path("/Library/Application Support/pip/pip.conf")]
        support = home / "Library/Application Support/pip"
        user = [home / ".pip/pip.conf", (support if support.is_dir() else home / ".config/pip") / "pip.conf"]
    else:
        folders = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
        shared = [Path(folder, "pip/pip.conf") for folder in folders] + [Path("/etc/pip.conf")]
        config = environ.get("XDG_CONFIG_HOME")
        user = [home / ".pip/pip.conf", (Path(config) if config else home / ".config") / "pip/pip.conf"]
    return [*shared, *user, *([Path(named)] if named else [])]


def _values_of(file: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return {}  # pip says so itself where it matters
    values: dict[str, str] = {}
    for section in ("global", "install"):
        if parser.has_section(section):
            values |= {key.replace("_", "-"): value for key, value in parser.items(section) if value}
    return values


def pip_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for pip: the user's own, without what would lead the packages elsewhere."""
    kept = {k: v for k, v in environ.items() if k not in DROPPED and not k.startswith("PYTHON")}
    return {**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "NO_COLOR": "1"}


def uv_environment(environ: Mapping[str, str], settings: PipSettings) -> dict[str, str]:
    """The environment for uv: pip's settings in uv's variables, but where the user has set uv's own."""
    counterparts = {
        "UV_DEFAULT_INDEX": settings.index_url,
        "UV_INDEX": " ".join(settings.extra_index_urls),
        "UV_FIND_LINKS": ",".join(settings.find_links),
        "UV_INSECURE_HOST": " ".join(settings.trusted_hosts),
        "SSL_CERT_FILE": settings.cert,
        "SSL_CLIENT_CERT": settings.client_cert,
        "HTTPS_PROXY": settings.proxy,
        "HTTP_PROXY": settings.proxy,
        "UV_HTTP_TIMEOUT": settings.timeout,
        "UV_NO_INDEX": "1" if settings.no_index else "",
        # pip takes the best version of all indexes and trusts the system's certificates; uv would not
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_SYSTEM_CERTS": "" if settings.cert else "1",
    }
    kept = {k: v for k, v in environ.items() if not k.startswith("PYTHON") and k != "UV_SYSTEM_PYTHON"}
    own = {name.upper() for name in kept}
    added = {name: value for name, value in counterparts.items() if value and name not in own}
    return {**kept, **added, "NO_COLOR": "1"}
