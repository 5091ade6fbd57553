# SPDX-License-Identifier: GPL-3.0-or-later
"""The weight files of a checkpoint: which are there, whether they are whole, and a hash that names them.

Called by `checkpoint`; needs neither torch nor safetensors.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import MarigoldError

PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
TEXT_PARTS = ("text_encoder", "tokenizer")
WEIGHT_NAMES = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}
# Enough of each tensor to tell any two trainings apart, and little enough that 2.6 GB are named in a moment.
HASHED_BYTES_PER_TENSOR = 1 << 16
LARGEST_HEADER = 100_000_000  # as the safetensors library itself allows


def find_weights(part: Path) -> tuple[Path, str | None]:
    """The weight file of one part of a checkpoint, and its variant (`fp16` or None); full precision wins.

    Raises:
        MarigoldError: there is none, or it is cut short (`no_model`).
    """
    stem = WEIGHT_NAMES[part.name]
    for variant, path in ((None, part / f"{stem}.safetensors"), ("fp16", part / f"{stem}.fp16.safetensors")):
        if path.is_file():
            read_header(path)
            return path, variant
    raise MarigoldError(
        "no_model", f"The model is incomplete, {part / (stem + '.safetensors')} is missing: download it again."
    )


def read_header(path: Path) -> tuple[dict[str, Any], int]:
    """A safetensors file's table of tensors and the offset at which their bytes start.

    Raises:
        MarigoldError: the file is not as long as its table says, or has no table (`no_model`).
    """
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > LARGEST_HEADER:
                raise ValueError("the table of tensors is too long")
            header = json.loads(file.read(length))
        tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
        end = 8 + length + max((entry["data_offsets"][1] for entry in tensors.values()), default=0)
        if path.stat().st_size != end:
            raise ValueError(f"{path.stat().st_size} bytes where {end} belong")
    except (OSError, ValueError, struct.error, KeyError, TypeError, AttributeError) as error:
        raise MarigoldError(
            "no_model", f"The model file {path} is damaged: download it again.", details=str(error)
        ) from error
    return tensors, 8 + length


def checkpoint_revision(folder: Path) -> str:
    """A name for exactly these files, wherever they lie: `sha256:…`.

    Hashes every JSON and text file whole, and of every tensor its name, type, shape and first 64 KiB.
    """
    digest = hashlib.sha256()
    _add(digest, "model_index.json", (folder / "model_index.json").read_bytes())
    _add_parts(digest, folder, PARTS)
    return f"sha256:{digest.hexdigest()}"


def text_revision(folder: Path) -> str:
    """A name for exactly these files of text encoder and tokenizer: several models share them."""
    digest = hashlib.sha256()
    _add_parts(digest, folder, TEXT_PARTS)
    return digest.hexdigest()


def vae_revision(folder: Path) -> str:
    """A name for exactly these files of the VAE: Stable Diffusion's belongs to most models."""
    digest = hashlib.sha256()
    _add_parts(digest, folder, ("vae",))
    return digest.hexdigest()


def count_parameters(weights: Path) -> int:
    """How many numbers a weight file holds."""
    return sum(math.prod(entry["shape"]) for entry in read_header(weights)[0].values())


def _add_parts(digest: Any, folder: Path, parts: Sequence[str]) -> None:
    for part in parts:
        for path in sorted((folder / part).glob("*")):
            if path.suffix in (".json", ".txt"):
                _add(digest, f"{part}/{path.name}", path.read_bytes())
        if part in WEIGHT_NAMES:
            _add_weights(digest, part, find_weights(folder / part)[0])


def _add(digest: Any, name: str, content: bytes) -> None:
    # The length stands before the content, so that no two lists of files make the same stream.
    digest.update(f"{name}:{len(content)}:".encode())
    digest.update(content)


def _add_weights(digest: Any, part: str, path: Path) -> None:
    tensors, start = read_header(path)
    with path.open("rb") as file:
        for name, entry in sorted(tensors.items(), key=lambda item: item[1]["data_offsets"]):
            first, last = entry["data_offsets"]
            file.seek(start + first)
            sample = file.read(min(last - first, HASHED_BYTES_PER_TENSOR))
            _add(digest, f"{part}/{name}/{entry['dtype']}/{entry['shape']}", sample)
