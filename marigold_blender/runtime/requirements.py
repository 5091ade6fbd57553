# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment's pinned packages, as `tools/lock_runtime.py` wrote them. Used by `plan`, `build` and `status`."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform as host
import re
import sys
from pathlib import Path

PIP, PACKAGES = "pip.txt", "packages.txt"
TORCH = "torch.txt"  # torch as PyPI has it, with CUDA's libraries on Linux
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


def pins(name: str) -> Path:
    """One of the pinned files; `MARIGOLD_REQUIREMENTS` names a folder with others, for a studio's own set."""
    return Path(os.environ.get("MARIGOLD_REQUIREMENTS") or Path(__file__).with_name("requirements")) / name


def fingerprint() -> str:
    """Changes whenever a pinned version does: an environment with another one is due for an update."""
    files = (pins(PACKAGES), pins(TORCH))
    return _fingerprint(files, tuple(path.stat().st_mtime_ns for path in files))


@functools.lru_cache(maxsize=1)
def _fingerprint(files: tuple[Path, ...], written: tuple[int, ...]) -> str:
    return hashlib.sha256("".join(path.read_text(encoding="utf-8") for path in files).encode()).hexdigest()[:16]


def wheel_sizes(file: str, platform: str, python: tuple[int, int]) -> dict[str, int]:
    """Bytes to fetch for each package of a pinned file that is wanted on this platform and Python."""
    table = json.loads(pins("sizes.json").read_text(encoding="utf-8"))
    target = f"{platform}-{python[0]}.{python[1]}"
    wanted: dict[str, int] = {}
    for name, marker in _requirements(pins(file)):
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
