# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts a weight file into a network, tensor by tensor out of the mapped file. Called by `checkpoint`.

Each tensor goes from its page of the file to its place in the format and layout that it is computed with, and the page
is given back: the network is in memory once, and nothing else is. The file is closed afterwards, so that a loaded model
can be deleted on Windows too.
"""

from __future__ import annotations

import contextlib
import math
import mmap
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .weight_files import read_header

DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def load_mapped(
    kind: Any, config: dict[str, Any], weights: Path, device: torch.device, dtype: torch.dtype, *, channels_last: bool
) -> nn.Module:
    """A network of diffusers with the weights of a safetensors file.

    Args:
        kind: its class.
        config: as in its `config.json`.
        channels_last: lay convolutions out with their channels last.

    Raises:
        ValueError: tensors are missing or of another number format; RuntimeError: of another shape.
    """
    with torch.device("meta"):  # shapes only: nothing is drawn at random to be overwritten
        network: Any = kind.from_config(config)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    state = _read(weights, device, dtype, layout)
    if hasattr(network, "_fix_state_dict_keys_on_load"):
        network._fix_state_dict_keys_on_load(state)  # the attention of VAEs of 2022 has other names
    missing, _ = network.load_state_dict(state, strict=False, assign=True)
    if missing:
        raise ValueError(f"weights do not fit the configuration, missing: {missing}")
    return network


def _read(
    weights: Path, device: torch.device, dtype: torch.dtype, layout: torch.memory_format
) -> dict[str, torch.Tensor]:
    tensors, start = read_header(weights)
    state = {}
    with weights.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as mapped:
        for name, entry in sorted(tensors.items(), key=lambda item: item[1]["data_offsets"]):
            first, last = (start + offset for offset in entry["data_offsets"])
            stored = DTYPES.get(entry["dtype"])
            if stored is None:
                raise ValueError(f"{name} is of type {entry['dtype']}")
            count = math.prod(entry["shape"])
            if count * stored.itemsize != last - first:
                raise ValueError(f"{name} is not as long as its shape")
            # An empty tensor has no bytes to view.
            seen = torch.frombuffer(mapped, dtype=stored, count=count, offset=first) if count else torch.empty(0)
            seen = seen.reshape(entry["shape"])
            fitting = layout if seen.ndim == 4 else torch.contiguous_format
            state[name] = torch.empty(seen.shape, dtype=dtype, device=device, memory_format=fitting).copy_(seen)
            del seen  # or the file could not be closed
            _give_back(mapped, first, last)
    return state


def _give_back(mapped: mmap.mmap, first: int, last: int) -> None:
    """Drop the file's pages that have been read: they would count as memory of this process."""
    begin = -(-first // mmap.PAGESIZE) * mmap.PAGESIZE
    length = (last - begin) // mmap.PAGESIZE * mmap.PAGESIZE
    if length > 0 and hasattr(mmap, "MADV_DONTNEED"):
        with contextlib.suppress(OSError):
            mapped.madvise(mmap.MADV_DONTNEED, begin, length)
