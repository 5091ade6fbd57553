# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a repository a model needs: safetensors, JSON, the tokenizer's text, the licence; each thing once.

Used by downloads. Nothing else of a repository is ever fetched, so nothing else can ever be loaded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase

from ..errors import MarigoldError

CONFIGURATIONS = (
    "model_index.json",
    "scheduler/scheduler_config.json",
    "unet/config.json",
    "vae/config.json",
    "text_encoder/config.json",
)
TOKENIZER = ("tokenizer.json", "vocab.json", "merges.txt", "special_tokens_map.json", "tokenizer_config.json")
WEIGHTS = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}
LICENCES = ("license*", "licence*")


def needed_files(names: Iterable[str], label: str, borrowed: Collection[str] = ()) -> tuple[str, ...]:
    """The files to fetch, small ones first.

    Args:
        names: all files of the repository.
        label: what people call the model.
        borrowed: parts whose weights come from another repository if this one has no safetensors of them.

    Raises:
        MarigoldError: the repository lacks something that every Marigold model has (`no_model`).
    """
    names = set(names)
    for name in CONFIGURATIONS:
        if name not in names:
            raise _lacking(label, name)
    tokenizer = [f"tokenizer/{name}" for name in TOKENIZER if f"tokenizer/{name}" in names]
    if not tokenizer:
        raise _lacking(label, "tokenizer/tokenizer_config.json")
    licences = sorted(name for name in names if any(fnmatchcase(name.lower(), pattern) for pattern in LICENCES))
    weights = [weights_of(part, names) for part in WEIGHTS]
    for part, found in zip(WEIGHTS, weights, strict=True):
        if not found and part not in borrowed:
            raise _lacking(label, f"{part}/{WEIGHTS[part]}.safetensors")
    return (*CONFIGURATIONS, *tokenizer, *licences, *filter(None, weights))


def weights_of(part: str, names: Collection[str]) -> str:
    """A part's weight file: in half precision where that is published, else in full; empty if only as a pickle."""
    stem = f"{part}/{WEIGHTS[part]}"
    return next((name for name in (f"{stem}.fp16.safetensors", f"{stem}.safetensors") if name in names), "")


def _lacking(label: str, name: str) -> MarigoldError:
    return MarigoldError(
        "no_model", f"The repository of {label} has no {name}: it is no Marigold model that can be used safely."
    )
