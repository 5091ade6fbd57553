# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedding of an empty prompt: all that Marigold needs of the text encoder. Called by `checkpoint`.

The encoder is a fifth of the model's bytes for a constant of 8 kB, so it is run once on this machine and the constant
kept in the cache folder.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np
import torch

from ..paths import default_cache
from .checkpoint_files import damaged, missing, read_json
from .loading import loading
from .weight_files import find_weights, text_revision


def empty_text(folder: Path, width: int | None) -> torch.Tensor:
    """The embedding for the checkpoint in `folder`, [1, T, C] float32.

    Args:
        width: channels that the U-Net takes (C), as its configuration says.

    Raises:
        MarigoldError: files of the text encoder are missing or damaged (`no_model`).
    """
    kept = default_cache() / "empty_text" / f"{text_revision(folder)}.npy"
    with contextlib.suppress(OSError, ValueError, EOFError):  # absent or damaged: computed afresh
        embedding = torch.from_numpy(np.load(kept, allow_pickle=False))
        if embedding.dtype == torch.float32 and embedding.ndim == 3 and embedding.shape[-1] == width:
            return embedding
    embedding = _encode(folder)
    if embedding.shape[-1] != width:
        weights, _ = find_weights(folder / "text_encoder")
        raise damaged(weights, ValueError(f"{embedding.shape[-1]} channels where the U-Net takes {width}"))
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time, not the estimate
        kept.parent.mkdir(parents=True, exist_ok=True)
        beside = kept.with_name(f".{kept.stem}-{os.getpid()}.npy")
        np.save(beside, embedding.numpy())
        beside.replace(kept)
    return embedding


def _encode(folder: Path) -> torch.Tensor:
    """What the text encoder answers to an empty prompt, [1, T, C] float32; it is gone again afterwards."""
    from transformers import CLIPTextModel, CLIPTokenizer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # it would fill the worker's log; loading is a stage of its own there
    read_json(folder / "text_encoder" / "config.json")
    weights, variant = find_weights(folder / "text_encoder")
    tokenizer_folder = folder / "tokenizer"
    if not tokenizer_folder.is_dir():
        raise missing(tokenizer_folder)
    tokenizer = loading(
        tokenizer_folder, lambda: CLIPTokenizer.from_pretrained(tokenizer_folder, local_files_only=True)
    )
    encoder = loading(
        weights,
        lambda: CLIPTextModel.from_pretrained(
            folder / "text_encoder",
            dtype=torch.float32,
            variant=variant,
            use_safetensors=True,
            local_files_only=True,
        ),
    )
    ids = tokenizer(
        "", padding="do_not_pad", max_length=tokenizer.model_max_length, truncation=True, return_tensors="pt"
    ).input_ids
    with torch.no_grad():
        return loading(weights, lambda: encoder(ids)[0])
