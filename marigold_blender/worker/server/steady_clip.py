# SPDX-License-Identifier: GPL-3.0-or-later
"""Estimates a clip's frames in their order, steady in time; goes on where a killed run stopped. Called by `clip_job`.

Apart from it, because importing this takes seconds: torch and diffusers.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...clips.clip import Clip, ClipFrame, clip_frames
from ...errors import MarigoldError
from ...estimation.cancelling import stop_if
from ...estimation.checkpoint_files import read_defaults
from ...estimation.devices import choose_device
from ...estimation.estimator import Prediction
from ...estimation.noise import member_noise
from ...estimation.resampling import processing_size, resize_pixels, to_photo_size
from ...estimation.steady_frames import Carry, carrying, in_range, next_frame, share_to_carry
from ...estimation.tiling import estimate_in_tiles
from ...models.find import find_model
from ...photos.photo import Photo, pixels_sha256
from ...photos.pixels import read_pixels
from ...photos.read import read_photo
from ...record import DepthRecord
from ...settings import EstimateSettings
from .clip_job import frame_file
from .steady_state import Progress, load_progress, save_progress
from .warm_estimator import record_of, warm_estimator


class SteadyClip:
    """The depth of one clip's frames, in order.

    Args:
        settings: as asked for; every 0 is filled in from the model.
        deciding: all that decides the frames (JSON values).
        path: of the file that holds how far the clip is.

    Raises:
        MarigoldError: there is no such model, or the settings are out of range.
    """

    def __init__(self, clip: Clip, settings: EstimateSettings, deciding: dict[str, Any], path: Path) -> None:
        self._clip, self._path = clip, path
        self._model = find_model(settings.model)
        defaults = read_defaults(self._model)
        self._revision = defaults.revision
        self._settings = settings.resolved(
            defaults.steps,
            defaults.resolution,
            single_step=defaults.zero_noise,
            on_processor=choose_device("auto").type == "cpu",
        )
        self._deciding = hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()
        self._progress = load_progress(path, self._deciding)

    @property
    def done_until(self) -> int | None:
        """Number of the last frame that a run before this one came to."""
        return self._progress.frame if self._progress else None

    def start_anew(self) -> None:
        """Forget what a run before this one came to."""
        self._progress = None

    def frames(self, cancelled: Callable[[], bool]) -> Iterator[tuple[int, np.ndarray, DepthRecord, tuple[int, ...]]]:
        """Every frame that is left: number, depth [H, W], record, and the first frames of the shots so far.

        When the next one is asked for, the one before counts as written.

        Raises:
            MarigoldError: as `Estimator.estimate`; a frame cannot be read, or has another size (`bad_input`).
        """
        after = self.done_until
        wanted = None if self._clip.kind == "movie" else {n for n in self._clip.files if after is None or n > after}
        with tempfile.TemporaryDirectory(prefix="marigold_frame_") as scratch:
            for frame in clip_frames(self._clip, wanted):
                if after is not None and frame.number <= after:
                    continue
                stop_if(cancelled)
                progress, depth, record = self._next(frame.number, _read(frame, Path(scratch)), cancelled)
                yield frame.number, depth, record, progress.shots
                self._progress = progress
                save_progress(self._path, progress, self._deciding)

    def _next(
        self, number: int, photo: Photo, cancelled: Callable[[], bool]
    ) -> tuple[Progress, np.ndarray, DepthRecord]:
        before, settings, started = self._progress, self._settings, time.monotonic()
        size = (photo.width, photo.height)
        if before and before.size != size:
            raise MarigoldError(
                "bad_input",
                f"Frame {number} of {self._clip.path} has {size[0]} × {size[1]} pixels, those before it "
                f"{before.size[0]} × {before.size[1]}: make all frames the same size.",
            )
        estimator = warm_estimator(self._model, self._revision, _silent)
        # Seen at the network's size; only the result goes back to the frame's own.
        seen = photo.pixels
        if not settings.tiling:
            seen = resize_pixels(seen, *processing_size(photo.height, photo.width, settings.resolution))
        made: list[Prediction] = []

        def predict(carry: Carry) -> Prediction:
            if settings.tiling:
                made.append(estimate_in_tiles(estimator, seen, settings, _silent, cancelled))
            else:
                streams = [carrying(member_noise(settings.seed, m), m, carry) for m in range(settings.ensemble)]
                made.append(estimator.estimate(seen, settings, _silent, cancelled, streams=streams))
            return made[0]

        with torch.no_grad():
            carried = 0.0 if settings.tiling else share_to_carry(estimator.checkpoint, settings.steps)
            state = next_frame(before.state if before else None, photo.pixels, predict, carried, photo.valid)
            depth = to_photo_size(in_range(state.depth), photo.height, photo.width)
        if photo.valid is not None:
            depth[~photo.valid] = 1.0
        shots = before.shots if before else ()
        if before is None or state.shot != before.state.shot:
            shots = (*shots, number)
        seconds = round(time.monotonic() - started, 3)
        record = record_of(photo, pixels_sha256(photo), settings, estimator, made[0], seconds)
        return Progress(number, size, shots, state), depth, record


def _read(frame: ClipFrame, scratch: Path) -> Photo:
    file = frame_file(frame, scratch)
    return read_photo(file) if frame.file else read_pixels(file, "")


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Stages within a frame: the frames are what is counted."""
