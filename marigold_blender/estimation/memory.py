# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory a piece of work held at most, on the device that computed. Used by the worker's estimate job."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil
import torch

MIB = 1 << 20


def start_measuring(device: torch.device) -> None:
    """Forget the peak so far, where that can be done."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif device.type == "cpu":
        with contextlib.suppress(OSError):  # Linux only: elsewhere the peak is that of the whole process
            Path("/proc/self/clear_refs").write_text("5")


def peak_mib(device: torch.device) -> int:
    """The most memory held since `start_measuring`, in MiB: of the GPU, or of the process on a CPU."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_reserved(device) // MIB)
    if device.type == "mps":
        return int(torch.mps.driver_allocated_memory() // MIB)
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    memory = psutil.Process().memory_info()
    return int(getattr(memory, "peak_wset", memory.rss) // MIB)
