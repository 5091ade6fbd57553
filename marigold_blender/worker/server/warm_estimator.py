# SPDX-License-Identifier: GPL-3.0-or-later
"""Computes depth with weights that stay loaded from one job to the next. Called by `estimate_job` on a cache miss.

Apart from it, because importing this takes seconds: torch and diffusers.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from pathlib import Path

import diffusers
import torch

from ... import __version__
from ...depth_files.depth_map import DepthMap
from ...estimation.devices import release_cached_memory
from ...estimation.estimator import Estimator, Prediction
from ...estimation.tiling import estimate_in_tiles, forget_old_tiles
from ...estimation.weight_files import vae_revision
from ...photos.photo import Photo
from ...record import DepthRecord
from ...settings import EstimateSettings

_warm: Estimator | None = None


def compute_depth(
    photo: Photo,
    source_sha256: str,
    folder: Path,
    revision: str,
    settings: EstimateSettings,
    report: Callable[[str, int, int], None],
    cancelled: Callable[[], bool],
    tiles: Path,
) -> DepthMap:
    """Depth of a photo, with its record.

    Args:
        folder, revision: the checkpoint.
        settings: resolved.
        tiles: folder for the tiles that are done, named by all that decides the result.

    Raises:
        MarigoldError: see `Estimator.load` and `Estimator.estimate`.
    """
    estimator = warm_estimator(folder, revision, report)
    started = time.monotonic()
    if settings.tiling:
        forget_old_tiles(tiles.parent)
        prediction = estimate_in_tiles(estimator, photo.pixels, settings, report, cancelled, folder=tiles)
    else:
        prediction = estimator.estimate(photo.pixels, settings, report, cancelled)
    seconds = round(time.monotonic() - started, 3)
    record = record_of(photo, source_sha256, settings, estimator, prediction, seconds)
    return DepthMap(prediction.depth, photo.valid, prediction.uncertainty, record)


def record_of(
    photo: Photo,
    source_sha256: str,
    settings: EstimateSettings,
    estimator: Estimator,
    prediction: Prediction,
    seconds: float,
) -> DepthRecord:
    """What is noted of a depth beside it; `seconds`: what computing it took."""
    return DepthRecord(
        name=photo.path.stem,
        width=photo.width,
        height=photo.height,
        model=settings.model,
        model_revision=estimator.revision,
        settings=settings.to_json(),
        processing_size=prediction.processing_size,
        source=str(photo.path),
        source_sha256=source_sha256,
        camera=photo.camera,
        versions={
            "marigold_blender": __version__,
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
            "python": platform.python_version(),
            "device": str(estimator.device),
            "dtype": prediction.dtype,
        },
        invalid_fraction=0.0 if photo.valid is None else float(1.0 - photo.valid.mean()),
        seconds=seconds,
    )


def forget_model() -> None:
    """Drop the loaded weights and give their memory back."""
    global _warm
    if _warm is not None:
        device, _warm = _warm.device, None
        release_cached_memory(device)


def warm_estimator(folder: Path, revision: str, report: Callable[[str, int, int], None]) -> Estimator:
    """The weights, from the last job if they are the same: then there is no stage of loading."""
    global _warm
    if _warm is None or _warm.revision != revision:
        shared = _warm.checkpoint.loaded_vae if _warm else None
        if shared and shared.revision != vae_revision(folder):
            shared = None
        forget_model()  # before loading: two models at once may not fit
        report("loading", 0, 1)
        _warm = Estimator.load(folder, vae=shared)
        report("loading", 1, 1)
    return _warm
