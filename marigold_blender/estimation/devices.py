# SPDX-License-Identifier: GPL-3.0-or-later
"""Which device, number format and batch size to compute with. Called by `estimator`.

The policy stands here alone, so that it can be read, printed and changed in one place.
"""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path

import psutil
import torch

from ..errors import MarigoldError

MAX_BATCH = 16
# A batch may take this share of the memory that is free: on a CPU larger batches win little and the user's other
# programs live in the same memory.
SHARE_OF_FREE_MEMORY = {"cpu": 0.25, "mps": 0.4, "cuda": 0.7}
# How many copies of the decoder's widest full-size layer are alive at its peak: its input, the normalised input, the
# activation and the output.
LIVE_COPIES = 4


def choose_device(wish: str = "auto") -> torch.device:
    """The device to compute on: `auto` takes `MARIGOLD_DEVICE`, else CUDA (or ROCm), XPU, Apple's MPS, the CPU.

    Raises:
        MarigoldError: torch knows no such device or it is not there (`bad_input`).
    """
    if wish == "auto":
        wish = os.environ.get("MARIGOLD_DEVICE") or "auto"  # set from Blender's preferences
    if wish == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        if torch.xpu.is_available():
            return torch.device("xpu")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(wish)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise MarigoldError(
            "bad_input", f"This computer cannot compute on “{wish}”: use auto or cpu.", details=str(error)
        ) from error
    return device


def device_name(device: torch.device) -> str:
    """What people call the device: “NVIDIA GeForce RTX 4090”, “Apple GPU”, a processor's name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "xpu":
        return torch.xpu.get_device_name(device)
    if device.type == "mps":
        return "Apple GPU"
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return platform.processor() or platform.machine()


PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_dtype(device: torch.device) -> torch.dtype:
    """The number format of weights and activations on `device`: `MARIGOLD_PRECISION`, else single precision everywhere.

    Half precision overflows in the decoder on some cards (black images) and needs a check with a repeat first.

    Raises:
        MarigoldError: `MARIGOLD_PRECISION` is no number format (`bad_input`).
    """
    wish = os.environ.get("MARIGOLD_PRECISION") or "float32"  # set from Blender's preferences
    if wish not in PRECISIONS:
        raise MarigoldError("bad_input", f"There is no precision “{wish}”: use {', '.join(PRECISIONS)}.")
    return PRECISIONS[wish]


def choose_batch_size(
    device: torch.device, dtype: torch.dtype, ensemble: int, padded_pixels: int, decoder_channels: int
) -> int:
    """How many ensemble members to denoise and decode at once.

    Args:
        padded_pixels: pixels of the picture that the decoder makes.
        decoder_channels: channels of the decoder's widest layer at full size.
    """
    item_bytes = torch.empty(0, dtype=dtype).element_size()
    member_bytes = LIVE_COPIES * padded_pixels * decoder_channels * item_bytes
    fitting = int(SHARE_OF_FREE_MEMORY.get(device.type, 0.25) * free_memory(device) / member_bytes)
    return max(1, min(fitting, ensemble, MAX_BATCH))


def free_memory(device: torch.device) -> int:
    """Bytes that can still be allocated on `device`."""
    if device.type == "cuda":
        # What torch has reserved and not handed out is free to us though the driver counts it as used.
        reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + reserved
    return int(psutil.virtual_memory().available)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` is an allocation that failed; torch's CPU and MPS allocators raise a plain RuntimeError."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    message = str(error).lower()
    return isinstance(error, RuntimeError) and ("memory" in message and ("alloc" in message or "out of" in message))


def release_cached_memory(device: torch.device) -> None:
    """Give memory that torch's allocator keeps for later back to the system."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
