# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns what loaders of weights raise on bad files into one sentence. Called by `checkpoint` and `empty_text`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from .checkpoint_files import damaged

# What the loaders of diffusers, transformers and safetensors raise on files that are cut short, of another shape or not
# what their name says.
LOADING_ERRORS = (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, ImportError)

T = TypeVar("T")


def loading(path: Path, load: Callable[[], T]) -> T:
    """What `load` gives.

    Raises:
        MarigoldError: it fails: the file at `path` is damaged (`no_model`).
    """
    try:
        return load()
    except LOADING_ERRORS as error:
        raise damaged(path, error) from error
