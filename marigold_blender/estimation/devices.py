# SPDX-License-Identifier: GPL-3.0-or-later
"""Which device, number format and batch size to compute with. Called by `estimator`.

The policy stands here alone, so that it can be read, printed and changed in one place.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import sys
from pathlib import Path

import psutil
import torch

from ..errors import MarigoldError

MAX_BATCH = 16
# Parameters of a U-Net from which 16 bits halve its time; the demo's 13 million are quick in 32, and exact everywhere.
WORTH_16_BITS = 100_000_000
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


def choose_dtype(device: torch.device, parameters: int) -> torch.dtype:
    """The number format of weights and activations on `device`: `MARIGOLD_PRECISION`, else what is fastest and safe.

    Args:
        parameters: of the U-Net; small ones stay in single precision.

    Raises:
        MarigoldError: `MARIGOLD_PRECISION` is no number format (`bad_input`).
    """
    wish = os.environ.get("MARIGOLD_PRECISION")  # set from Blender's preferences
    if wish:
        if wish not in PRECISIONS:
            raise MarigoldError("bad_input", f"There is no precision “{wish}”: use {', '.join(PRECISIONS)}.")
        return PRECISIONS[wish]
    return torch.float32 if parameters < WORTH_16_BITS else fastest_dtype(device)


def fastest_dtype(device: torch.device) -> torch.dtype:
    """What full-size networks compute with on `device`. float16 can overflow: `estimator` repeats such an estimate."""
    if device.type == "cpu":
        return torch.bfloat16 if _processor_has_bfloat16() else torch.float32
    if device.type == "cuda" and torch.version.hip:
        # Consumer cards overflow in the decoder more often than NVIDIA's; bfloat16 has the range of float32.
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device.type == "cuda":
        # Pascal and older compute float16 at a fraction of their speed.
        return torch.float16 if torch.cuda.get_device_capability(device) >= (7, 0) else torch.float32
    return {"xpu": torch.bfloat16, "mps": torch.float16}.get(device.type, torch.float32)


def has_bfloat16(device: torch.device) -> bool:
    """Whether `device` multiplies bfloat16 itself, which is what training prefers."""
    if device.type == "cpu":
        return _processor_has_bfloat16()
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "xpu"


def _processor_has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself; emulated, it is slower than single precision."""
    # Names of torch 2.4 and later, without which single precision is right as well.
    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in asked)


def compiling_is_wished() -> bool:
    """Whether `MARIGOLD_COMPILE` asks for torch.compile; set from Blender's preferences."""
    return os.environ.get("MARIGOLD_COMPILE", "0") not in ("", "0")


def describe_policy(device: torch.device) -> dict[str, str]:
    """How full-size networks are computed on `device`, in words, for `marigold doctor`."""
    dtype = choose_dtype(device, WORTH_16_BITS)
    batch = choose_batch_size(device, dtype, MAX_BATCH, 768 * 576, 256)
    repeated = ", repeated in float32 where it overflows" if dtype == torch.float16 else ""
    rungs = [] if device.type == "cpu" else ["one network at a time on the device"]
    return {
        "precision": f"{str(dtype).removeprefix('torch.')}{repeated}; small networks in float32",
        "layout": "contiguous" if device.type == "mps" else "channels last",
        "attention": "scaled dot product",
        "compiling": "from the third job of a shape on" if compiling_is_wished() else "no (MARIGOLD_COMPILE=1)",
        "batch": f"{batch} predictions of 768 x 576 at once, by the memory that is free now",
        "out of memory": ", then ".join(["smaller batches", *rungs, "the VAE in tiles"]),
    }


def choose_batch_size(
    device: torch.device, dtype: torch.dtype, ensemble: int, padded_pixels: int, decoder_channels: int
) -> int:
    """How many ensemble members to denoise and decode at once.

    Args:
        padded_pixels: pixels of the picture that the decoder makes.
        decoder_channels: channels of the decoder's widest layer at full size.
    """
    if device.type == "mps":
        return 1  # batches are slower there, and unreliable (diffusers' notes on MPS)
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
    """Give memory that the allocator keeps for later back to the system."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
    elif device.type == "cpu" and sys.platform == "linux":
        # glibc keeps what was freed between blocks that are still in use: gigabytes after a network has gone.
        with contextlib.suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL("libc.so.6").malloc_trim(0)
