# SPDX-License-Identifier: GPL-3.0-or-later
"""What an installation would do, before it does it: base, build of torch, steps, bytes, space. Used by `install` and
shown by the panel and by `marigold runtime plan`.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import MarigoldError
from .accelerators import NAMES, TorchBuild, choose_build
from .bases import Base, choose_base
from .folder import Layout, size_of
from .pip_settings import PipSettings, read_pip_settings
from .requirements import PACKAGES, PIP, TORCH, TORCH_VERSION, this_platform, wheel_sizes
from .sizes import gigabytes

INSTALLERS = ("auto", "pip", "uv")
# Unpacked bytes for a downloaded one: measured with the CPU build; of GPU builds most is binary code already.
UNPACKED_PACKAGES, UNPACKED_TORCH = 6.0, {"cpu": 4.0, "mps": 4.0, "cuda": 2.2, "rocm": 2.8, "xpu": 2.8}
RESERVE_BYTES = 500_000_000
OFFLINE_ADVICE = (
    "allow online access (in Blender's preferences, System), or name a folder with them as pip's find-links"
)
OWN_BUILDS = {"cpu": "the CPU", "cu130": "CUDA 13.0", "cu126": "CUDA 12.6"}


@dataclass(frozen=True)
class Options:
    """What the user chose.

    Attributes:
        base_python: the Python to make the environment from; empty: the runner, else one that is found.
        accelerator: one of `accelerators.ACCELERATORS`.
        installer: pip, uv, or auto: uv if it is on the PATH or named by `MARIGOLD_UV`.
        offline: nothing is sent; packages come from folders that pip is set to (`find-links`).
        force: make it anew even if it is ready.
        runner: the Python that runs the installer: Blender's own.
    """

    folder: Path
    base_python: str = ""
    accelerator: str = "auto"
    installer: str = "auto"
    offline: bool = False
    force: bool = False
    runner: str = sys.executable


@dataclass(frozen=True)
class Plan:
    """What will be done.

    Attributes:
        uv: path of uv; empty: pip.
        sizes: bytes of each pinned package that will be fetched, but torch from its own index.
        download_bytes: of all; less where pip has some in its cache.
        disk_bytes: free space that is needed while installing; about half stays in use.
    """

    options: Options
    base: Base
    build: TorchBuild
    uv: str
    settings: PipSettings
    packages: dict[str, int]
    torch: dict[str, int]
    download_bytes: int
    disk_bytes: int
    free_bytes: int

    @property
    def steps(self) -> tuple[str, ...]:
        where = OWN_BUILDS.get(self.build.tag, NAMES[self.build.accelerator])
        version = ".".join(map(str, self.base.version))
        return (
            f"Make an environment in “{self.options.folder}” from Python {version} (“{self.base.executable}”)",
            f"Install {len(self.packages)} packages with {'uv' if self.uv else 'pip'}, "
            f"{gigabytes(sum(self.packages.values()))}",
            f"Install torch {TORCH_VERSION} for {where}, {gigabytes(self.build.download_bytes)}",
            "Check it by estimating the depth of a small picture",
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know before saying yes."""
        settings = self.settings
        places = [*((settings.index_url,) if settings.index_url else ()), *settings.extra_index_urls]
        places += settings.find_links
        own = f"Packages are also taken from {', '.join(places)}, as pip is set to." if places else ""
        offline = "Nothing is sent: packages come only from folders on this computer." if self.options.offline else ""
        return tuple(note for note in (self.base.note, self.build.note, own, offline) if note)

    def to_json(self) -> dict[str, Any]:
        return {
            "folder": str(self.options.folder),
            "base": str(self.base.executable),
            "python_version": ".".join(map(str, self.base.version)),
            "accelerator": self.build.accelerator,
            "build": self.build.tag,
            "installer": "uv" if self.uv else "pip",
            "steps": list(self.steps),
            "notes": list(self.notes),
            "download_bytes": self.download_bytes,
            "disk_bytes": self.disk_bytes,
            "free_bytes": self.free_bytes,
        }


def make_plan(options: Options) -> Plan:
    """Look at the computer and decide.

    Raises:
        MarigoldError: no installation is possible as asked (`no_runtime`, `bad_input`, `cannot_write`).
    """
    platform = this_platform()
    if platform is None:
        raise MarigoldError(
            "no_runtime",
            "torch has no build for this kind of computer (it needs 64-bit Linux or Windows, or a Mac with Apple's "
            "own processor): run Marigold on another, or adopt an environment of your own.",
        )
    uv, settings = find_uv(options.installer), read_pip_settings()
    if options.offline and not (settings.find_links or os.environ.get("UV_FIND_LINKS")):
        raise MarigoldError("no_runtime", f"Nothing may be sent, and the packages are not here: {OFFLINE_ADVICE}.")
    base = choose_base(options.base_python, options.runner, with_uv=bool(uv))
    build = choose_build(options.accelerator, platform, base.minor)
    packages = wheel_sizes(PACKAGES, platform, base.minor) | ({} if uv else wheel_sizes(PIP, platform, base.minor))
    torch = wheel_sizes(TORCH, platform, base.minor) if build.on_pypi else {"torch": build.download_bytes}
    download = sum(packages.values()) + build.download_bytes
    unpacked = sum(packages.values()) * UNPACKED_PACKAGES
    unpacked += build.download_bytes * UNPACKED_TORCH[build.accelerator]
    kept = size_of(Layout(options.folder).downloads)  # of an attempt before: need not be fetched again
    return Plan(
        options=options,
        base=base,
        build=build,
        uv=uv,
        settings=settings,
        packages=packages,
        torch=torch,
        download_bytes=download,
        disk_bytes=int(max(0, download - kept) + unpacked + RESERVE_BYTES),
        free_bytes=free_space(options.folder),
    )


def check_space(plan: Plan) -> None:
    """Refuse what cannot fit.

    Raises:
        MarigoldError: too little is free (`cannot_write`).
    """
    if plan.free_bytes < plan.disk_bytes:
        raise MarigoldError(
            "cannot_write",
            f"The runtime needs {gigabytes(plan.disk_bytes)} while it is installed, and {gigabytes(plan.free_bytes)} "
            f"are free on the disk of “{plan.options.folder}”: free space or choose a folder on another disk.",
            fix="preferences.addon_show",
        )


def free_space(folder: Path) -> int:
    """Free bytes on the disk of a folder that may not be there yet."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def find_uv(installer: str) -> str:
    """Path of uv; empty if pip is to be used.

    Raises:
        MarigoldError: uv was asked for and is not there, or the name is unknown (`bad_input`).
    """
    if installer not in INSTALLERS:
        raise MarigoldError("bad_input", f"There is no installer “{installer}”: use one of {', '.join(INSTALLERS)}.")
    if installer == "pip":
        return ""
    found = shutil.which(os.environ.get("MARIGOLD_UV") or "uv") or ""
    if installer == "uv" and not found:
        raise MarigoldError("bad_input", "uv was asked for and is not on the PATH: install uv, or use pip.")
    return found
