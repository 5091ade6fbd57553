# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of torch's builds suits this computer. Used by `plan`, in the installer's process.

torch 2.13 is built for CUDA 13.0 (Turing and newer, driver 580 or newer) and 12.6 (Maxwell to Hopper), ROCm 7.2,
Intel's XPU, Apple's MPS and the CPU (PyTorch's RELEASE.md, release compatibility matrix).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import MarigoldError
from .requirements import TORCH, TORCH_VERSION, wheel_sizes

ACCELERATORS = ("auto", "cpu", "cuda", "rocm", "mps", "xpu")
TORCH_INDEX = "https://download.pytorch.org/whl"  # MARIGOLD_TORCH_INDEX names a mirror


@dataclass(frozen=True)
class Gpu:
    """A graphics card.

    Attributes:
        vendor: nvidia or amd.
        cuda: newest CUDA that its driver can run, (13, 0).
        capability: NVIDIA's compute capability, (8, 6).
    """

    vendor: str
    name: str
    cuda: tuple[int, int] = (0, 0)
    capability: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class TorchBuild:
    """One of torch's builds.

    Attributes:
        accelerator: cpu, cuda, rocm, mps or xpu.
        tag: torch's name of the build: cpu, cu130, …
        download_bytes: torch and the GPU libraries it brings; measured where PyPI has it, else what others measured.
        on_pypi: whether PyPI has it for the platform: then its hashes are pinned; else torch's own index has it.
        note: what the user should know.
    """

    accelerator: str
    tag: str
    download_bytes: int
    on_pypi: bool
    note: str = ""

    @property
    def requirement(self) -> str:
        """With the build's tag, so that no other build is taken when torch's index cannot be reached."""
        return f"torch=={TORCH_VERSION}" + ("" if self.on_pypi else f"+{self.tag}")

    @property
    def index(self) -> str:
        base = os.environ.get("MARIGOLD_TORCH_INDEX") or TORCH_INDEX
        return "" if self.on_pypi else f"{base.rstrip('/')}/{self.tag}"

    @property
    def device(self) -> str:
        """torch's name of the device that it must then find."""
        return "cuda" if self.accelerator == "rocm" else self.accelerator


# Bytes of torch's wheel and what it brings, where PyPI has no such build: read off torch's index.
DOWNLOADS = {
    ("linux-x86_64", "cpu"): 192_000_000,
    ("linux-aarch64", "cpu"): 152_000_000,
    ("linux-x86_64", "cu126"): 2_900_000_000,
    ("linux-x86_64", "rocm7.2"): 6_230_000_000,
    ("linux-x86_64", "xpu"): 2_600_000_000,
    ("win-amd64", "cu130"): 1_916_000_000,
    ("win-amd64", "cu126"): 2_595_000_000,
    ("win-amd64", "xpu"): 1_800_000_000,
}
ON_PYPI = {("linux-x86_64", "cu130"), ("linux-aarch64", "cu130"), ("win-amd64", "cpu"), ("macos-arm64", "mps")}
NAMES = {"cpu": "the CPU", "cuda": "NVIDIA's CUDA", "rocm": "AMD's ROCm", "mps": "Apple's GPU", "xpu": "Intel's GPU"}


def choose_build(
    wish: str, platform: str, python: tuple[int, int], find_gpu: Callable[[], Gpu | None] | None = None
) -> TorchBuild:
    """The build for a wish of `ACCELERATORS` on a platform of `requirements.PLATFORMS`.

    Raises:
        MarigoldError: there is no such build for this computer (`bad_input`).
    """
    if wish not in ACCELERATORS:
        raise MarigoldError("bad_input", f"There is no accelerator “{wish}”: use one of {', '.join(ACCELERATORS)}.")
    is_mac = platform == "macos-arm64"
    if is_mac and wish in ("auto", "mps", "cpu"):
        return _build("mps", "mps", platform, python)  # the one build for Macs; it computes on the CPU too
    if is_mac or wish == "mps":
        raise _not_here(wish)
    if wish in ("cpu", "xpu"):
        return _build(wish, wish, platform, python)
    gpu = (find_gpu or find_any_gpu)()
    if wish != "auto":
        return _build_for(_expected(gpu, wish), platform, python)
    try:
        return _build_for(gpu, platform, python) if gpu else _build("cpu", "cpu", platform, python)
    except MarigoldError as error:
        return _build("cpu", "cpu", platform, python, note=error.message)


def _expected(gpu: Gpu | None, wish: str) -> Gpu:
    if gpu is None or gpu.vendor != {"cuda": "nvidia", "rocm": "amd"}[wish]:
        raise MarigoldError(
            "bad_input",
            f"No graphics card for {NAMES[wish]} was found: install its driver, or choose auto or cpu.",
            fix="preferences.addon_show",
        )
    return gpu


def _build_for(gpu: Gpu, platform: str, python: tuple[int, int]) -> TorchBuild:
    if gpu.vendor == "amd":
        return _build("rocm", "rocm7.2", platform, python)
    return _build("cuda", cuda_tag(gpu), platform, python)


def cuda_tag(gpu: Gpu) -> str:
    """torch's newest CUDA build that both the driver and the card can run.

    Raises:
        MarigoldError: there is none (`bad_input`).
    """
    if gpu.capability >= (7, 5) and gpu.cuda >= (13, 0):
        return "cu130"
    if (5, 0) <= gpu.capability <= (9, 0) and gpu.cuda >= (12, 0):
        return "cu126"
    if gpu.capability < (5, 0):
        raise MarigoldError("bad_input", f"The {gpu.name} is too old for torch {TORCH_VERSION}: use cpu.")
    needed = "580" if gpu.capability > (9, 0) else "525"
    raise MarigoldError(
        "bad_input",
        f"The driver of the {gpu.name} is too old for torch {TORCH_VERSION}: update it to {needed} or newer, then "
        "install the runtime again.",
    )


def _build(accelerator: str, tag: str, platform: str, python: tuple[int, int], note: str = "") -> TorchBuild:
    if (platform, tag) in ON_PYPI:
        return TorchBuild(accelerator, tag, sum(wheel_sizes(TORCH, platform, python).values()), True, note)
    if (platform, tag) not in DOWNLOADS:
        raise _not_here(accelerator)
    return TorchBuild(accelerator, tag, DOWNLOADS[platform, tag], False, note)


def _not_here(accelerator: str) -> MarigoldError:
    return MarigoldError(
        "bad_input",
        f"torch {TORCH_VERSION} has no build for {NAMES[accelerator]} on this system: choose auto or cpu.",
        fix="preferences.addon_show",
    )


def find_any_gpu() -> Gpu | None:
    """The first card of a vendor with a driver; None without."""
    return find_nvidia() or find_amd()


def find_nvidia() -> Gpu | None:
    """Asks NVIDIA's driver itself, which is there with or without `nvidia-smi`."""
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    with contextlib.suppress(OSError):
        return ask_cuda(ctypes.CDLL(name))
    return None


def ask_cuda(driver: Any) -> Gpu | None:
    """The first device of a CUDA driver library."""
    version, count = ctypes.c_int(), ctypes.c_int()
    if driver.cuInit(0) or driver.cuDriverGetVersion(ctypes.byref(version)):
        return None
    if driver.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        return None
    name = ctypes.create_string_buffer(128)
    driver.cuDeviceGetName(name, len(name), 0)
    major, minor = ctypes.c_int(), ctypes.c_int()
    for value, attribute in ((major, 75), (minor, 76)):  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, _MINOR
        driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, 0)
    cuda = (version.value // 1000, version.value % 1000 // 10)
    return Gpu("nvidia", name.value.decode(errors="replace"), cuda, (major.value, minor.value))


def find_amd(root: Path = Path("/")) -> Gpu | None:
    """A card that AMD's compute driver on Linux serves: torch has ROCm builds for Linux alone."""
    if not sys.platform.startswith("linux") or not (root / "dev/kfd").exists():
        return None
    for node in sorted((root / "sys/class/kfd/kfd/topology/nodes").glob("*/gpu_id")):
        with contextlib.suppress(OSError):
            if node.read_text().strip() not in ("", "0"):  # 0: the node is a processor
                return Gpu("amd", "AMD graphics card")
    return None
