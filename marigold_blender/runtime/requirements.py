# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment's pinned packages, as `tools/lock_runtime.py` wrote them. Used by `plan`, `build` and `status`."""

from __future__ import annotations

import functools
import hashlib
import json
import platform as host
import re
import sys
from pathlib import Path

FILES = Path(__file__).with_name("requirements")
PIP = FILES / "pip.txt"
PACKAGES = FILES / "packages.txt"
TORCH = FILES / "torch.txt"  # torch as PyPI has it, with CUDA's libraries on Linux
TORCH_VERSION = "2.13.0"

SUPPORTED_PYTHONS = ((3, 11), (3, 12), (3, 13))  # those with a wheel of every package
PLATFORMS = {
    ("linux", "x86_64"): "linux-x86_64",
    ("linux", "aarch64"): "linux-aarch64",
    ("win32", "amd64"): "win-amd64",
    ("darwin", "arm64"): "macos-arm64",
}


def this_platform() -> str | None:
    """The name in the size table of the system we run on; None if torch has no build for it."""
    return PLATFORMS.get((sys.platform, host.machine().lower()))


def fingerprint() -> str:
    """Changes whenever a pinned version does: an environment with another one is due for an update."""
    return _fingerprint(tuple(path.stat().st_mtime_ns for path in (PACKAGES, TORCH)))


@functools.lru_cache(maxsize=1)
def _fingerprint(written: tuple[int, ...]) -> str:
    pins = "".join(path.read_text(encoding="utf-8") for path in (PACKAGES, TORCH))
    return hashlib.sha256(pins.encode()).hexdigest()[:16]


def wheel_sizes(file: Path, platform: str, python: tuple[int, int]) -> dict[str, int]:
    """Bytes to fetch for each package of a requirements file that is wanted on this platform and Python."""
    table = json.loads((FILES / "sizes.json").read_text(encoding="utf-8"))
    target = f"{platform}-{python[0]}.{python[1]}"
    wanted: dict[str, int] = {}
    for name, marker in _requirements(file):
        if _holds(marker, platform, python):
            sizes = table.get(name, {})
            wanted[name] = sizes.get(target, sizes.get("*", 0))
    return wanted


def _requirements(file: Path) -> list[tuple[str, str]]:
    """Names and markers of a requirements file."""
    lines = re.findall(
        r"^([A-Za-z0-9._-]+)==[^\s;\\]+(?: ; ([^\\\n]+))?", file.read_text(encoding="utf-8"), re.MULTILINE
    )
    return [(canonical(name), marker.strip()) for name, marker in lines]


def _holds(marker: str, platform: str, python: tuple[int, int]) -> bool:
    """Whether a marker holds, of the three kinds that the lock has."""
    if match := re.fullmatch(r"python_version (<|>=) '3\.(\d+)'", marker):
        return (python[1] < int(match[2])) == (match[1] == "<")
    if match := re.fullmatch(r"sys_platform == '(\w+)'", marker):
        return match[1] == next(system for (system, _), name in PLATFORMS.items() if name == platform)
    return not marker


def canonical(name: str) -> str:
    """A package's name as indexes spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()
