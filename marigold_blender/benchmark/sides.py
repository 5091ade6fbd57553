# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done on each side of the comparison, inside a process of its own. Called by `side_process`.

Each side keeps its weights loaded, as it would between the jobs of a user.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from diffusers import MarigoldDepthPipeline
from diffusers.utils import logging
from PIL import Image

from ..errors import MarigoldError
from ..estimation.devices import choose_device
from ..estimation.ensembling import Ensemble
from ..estimation.estimator import Estimator
from ..estimation.memory import peak_mib, start_measuring
from ..estimation.noise import member_noise
from ..estimation.resampling import processing_size
from ..estimation.tiling import estimate_in_tiles
from ..settings import EstimateSettings
from ..worker.server.clip_job import ClipRequest, run_clip


class Side(Protocol):
    """One side: its weights are loaded with it."""

    device: torch.device

    def estimate(self, picture: str, settings: dict[str, Any], result: str) -> None:
        """Depth of a picture (`.npy`) into `result` (`.npy`)."""

    def clip(self, frames: str, settings: dict[str, Any], result: str) -> None:
        """Depth of every picture of a folder into the folder `result`."""

    def merge(self, members: str) -> None:
        """Merge the members [E, H, W] of an ensemble (`.npy`)."""


class Ours:
    """This extension's estimator, with the settings that it chooses for the device."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._estimator = Estimator.load(folder)
        self.device = self._estimator.device

    def estimate(self, picture: str, settings: dict[str, Any], result: str) -> None:
        estimator = self._estimator
        asked = EstimateSettings.from_json(settings).resolved(
            estimator.default_steps, estimator.default_resolution, on_processor=self.device.type == "cpu"
        )
        arguments = (np.load(picture), asked, lambda *_: None, lambda: False)
        prediction = estimate_in_tiles(estimator, *arguments) if asked.tiling else self._estimator.estimate(*arguments)
        np.save(result, prediction.depth)

    def clip(self, frames: str, settings: dict[str, Any], result: str) -> None:
        os.environ["MARIGOLD_CACHE"] = f"{result}_cache"  # nothing comes from an earlier run
        asked = EstimateSettings.from_json({**settings, "model": str(self._folder)})
        run_clip(ClipRequest(frames, result, asked), lambda *_: None, lambda: False)

    def merge(self, members: str) -> None:
        ensemble = Ensemble()
        ensemble.add(torch.from_numpy(np.load(members)))
        ensemble.merge()


class Stock:
    """diffusers' pipeline as its documentation shows it, in single precision."""

    def __init__(self, folder: Path) -> None:
        self.device = choose_device()
        logging.disable_progress_bar()
        self._pipeline = MarigoldDepthPipeline.from_pretrained(folder, dtype=torch.float32).to(self.device)
        self._pipeline.set_progress_bar_config(disable=True)
        self._factor = 2 ** (len(self._pipeline.vae.config.block_out_channels) - 1)

    def estimate(self, picture: str, settings: dict[str, Any], result: str) -> None:
        np.save(result, self._depth(Image.fromarray(np.load(picture)), EstimateSettings.from_json(settings)))

    def clip(self, frames: str, settings: dict[str, Any], result: str) -> None:
        Path(result).mkdir()
        for path in sorted(Path(frames).iterdir()):
            depth = self._depth(Image.open(path).convert("RGB"), EstimateSettings.from_json(settings))
            np.save(Path(result) / f"{path.stem}.npy", depth)

    def merge(self, members: str) -> None:
        try:
            MarigoldDepthPipeline.ensemble_depth(torch.from_numpy(np.load(members))[:, None], True, True)
        except ImportError as error:
            raise MarigoldError(
                "no_runtime",
                f"diffusers needs scipy to merge an ensemble: install it into {sys.prefix} to compare with it.",
            ) from error

    def _depth(self, picture: Image.Image, settings: EstimateSettings) -> np.ndarray:
        pipeline = self._pipeline
        asked = settings.resolved(pipeline.default_denoising_steps or 4, pipeline.default_processing_resolution or 768)
        height, width = processing_size(picture.height, picture.width, asked.resolution)
        shape = (pipeline.vae.config.latent_channels, -(-height // self._factor), -(-width // self._factor))
        return pipeline(
            picture,
            num_inference_steps=asked.steps,
            processing_resolution=0 if asked.resolution == max(picture.size) else asked.resolution,
            latents=member_noise(asked.seed, 0)(shape)[None].to(self.device),  # the noise that ours starts from
        ).prediction[0, :, :, 0]


SIDES: dict[str, Callable[[Path], Side]] = {"ours": Ours, "stock": Stock}


def timed(side: Side, work: str, arguments: dict[str, Any], *, whole_life: bool) -> dict[str, float]:
    """Do one piece of work: its wall and processor seconds, and the most memory held during it.

    Args:
        whole_life: processor time and memory since the process began instead.
    """
    if not whole_life:
        start_measuring(side.device)
    started, used = time.perf_counter(), time.process_time()
    getattr(side, work)(**arguments)
    return {
        "seconds": time.perf_counter() - started,
        "processor_seconds": time.process_time() - (0.0 if whole_life else used),
        "peak_mib": peak_mib(side.device),
    }
