# SPDX-License-Identifier: GPL-3.0-or-later
"""The estimator: loaded weights that turn photos into affine-invariant depth. Used by `worker.server`, `training`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from ..errors import MarigoldError
from ..settings import EstimateSettings
from .cancelling import cancellable, stop_if
from .checkpoint import Checkpoint, LoadedVae, load_checkpoint
from .checkpoint_files import read_defaults
from .compiling import RepeatedShapes
from .denoising import decode, denoise, encode
from .devices import choose_batch_size, choose_device, choose_dtype, is_out_of_memory, release_cached_memory
from .ensembling import Ensemble, Reduction
from .memory_ladder import MemoryLadder
from .noise import NoiseStream, ReplayedNoise, member_noise
from .precision import NotFinite, require_finite, single_precision
from .resampling import Resampling, processing_size, to_network_picture, to_photo_size

Report = Callable[[str, int, int], None]
"""Called with a stage (`encoding`, `denoising`, `decoding`, `aligning`), how much of it is done, and its total."""


@dataclass(frozen=True)
class Prediction:
    """Depth of one photo.

    Attributes:
        depth: [H, W] float32 in [0, 1], 0 near .. 1 far, finite.
        uncertainty: [H, W] float32 in [0, 1], the members' median absolute deviation as a share of the depth range;
            None for a single prediction.
        processing_size: width and height that the network saw, before padding.
        dtype: the number format that the networks computed in.
        latents: [E, 4, h, w] float32 on the CPU, the members' depth latents; None where tiles made the depth.
    """

    depth: np.ndarray
    uncertainty: np.ndarray | None
    processing_size: tuple[int, int]
    dtype: str
    latents: torch.Tensor | None = None


class Estimator:
    """A checkpoint in memory. Lives as long as its weights should stay loaded; not for several threads at once."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> None:
        self.checkpoint = checkpoint
        self.device = device
        self.dtype = dtype
        self._repeated = RepeatedShapes(checkpoint.unet, device)
        self._offloads = False  # see `MemoryLadder`
        self._encoded: tuple[tuple[object, ...], torch.Tensor] | None = None  # what it was made of, and the latent

    @classmethod
    def load(
        cls, folder: Path, device: str = "auto", *, zero_noise: bool | None = None, vae: LoadedVae | None = None
    ) -> Estimator:
        """Load the checkpoint in `folder` (diffusers format).

        Args:
            device: `auto`, or a device of torch.
            zero_noise: whether it was fine-tuned to start from zeros (E2E-FT); None: as its files say.
            vae: that of the model before, which must not be used any more.

        Raises:
            MarigoldError: missing, damaged or unsuitable files (`no_model`), no such device (`bad_input`), or too
                little memory (`out_of_memory`).
        """
        where = choose_device(device)
        dtype = choose_dtype(where, read_defaults(Path(folder)).parameters)
        try:
            return cls(load_checkpoint(Path(folder), where, dtype, zero_noise=zero_noise, vae=vae), where, dtype)
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                raise _out_of_memory(f"The model in {folder} does not fit into memory", error) from error
            raise

    @property
    def default_steps(self) -> int:
        return self.checkpoint.default_steps

    @property
    def default_resolution(self) -> int:
        return self.checkpoint.default_resolution

    @property
    def revision(self) -> str:
        return self.checkpoint.revision

    @torch.no_grad()
    def estimate(
        self,
        pixels: np.ndarray,
        settings: EstimateSettings,
        report: Report,
        cancelled: Callable[[], bool],
        *,
        batch_size: int = 0,
        resampling: Resampling = "bilinear",
        reduction: Reduction = "median",
        streams: list[NoiseStream] | None = None,
    ) -> Prediction:
        """Depth of one photo.

        Args:
            pixels: [H, W, 3] uint8, or float32 in [0, 1]; sRGB-encoded.
            settings: resolved settings; a resolution of 0 means the photo's own.
            report: told of progress; `denoising` and `decoding` count ensemble members times their steps.
            cancelled: asked before every layer.
            batch_size: members at once; 0 = as free memory allows. Results do not depend on it.
            reduction: how an ensemble becomes one map, see `Ensemble.merge`.
            streams: noise of each member in place of the seed's.

        Raises:
            MarigoldError: `cancelled`, `out_of_memory`, or `no_model` where the weights give no finite depth. The
                weights stay loaded and usable.
        """
        job = _Job(
            pixels,
            settings,
            [ReplayedNoise(s) for s in streams or [member_noise(settings.seed, m) for m in range(settings.ensemble)]],
            batch_size,
            resampling,
            reduction,
            report,
            cancelled,
        )
        networks = (self.checkpoint.unet, self.checkpoint.vae)
        shape = processing_size(pixels.shape[0], pixels.shape[1], settings.resolution)
        with self._repeated.turn(shape) as compiled, cancellable(networks, cancelled, compiled):
            try:
                try:
                    return self._within_memory(job)
                except NotFinite:
                    if self.dtype == torch.float32:
                        raise
                job.restart()
                with single_precision(*networks):
                    return self._within_memory(job)
            except NotFinite as error:
                raise MarigoldError(
                    "no_model",
                    "The model gives values that are not numbers: its files are damaged, download it again.",
                ) from error

    def _within_memory(self, job: _Job) -> Prediction:
        """The prediction, with less and less kept in memory as long as it runs out."""
        ladder = MemoryLadder(self.checkpoint, self.device, offloads=self._offloads)
        try:
            while True:
                try:
                    return self._predict(job, ladder)
                except (RuntimeError, MemoryError) as error:
                    if not is_out_of_memory(error):
                        raise
                    # Without its traceback, which would keep the layers' tensors alive.
                    failure = error.with_traceback(None)
                release_cached_memory(self.device)
                if not ladder.climb():
                    raise _out_of_memory("The photo at this processing resolution does not fit into memory", failure)
        finally:
            ladder.leave()
            self._offloads = ladder.offloads

    def _predict(self, job: _Job, ladder: MemoryLadder) -> Prediction:
        checkpoint, settings = self.checkpoint, job.settings
        height, width = job.pixels.shape[:2]
        job.report("encoding", 0, 1)
        stop_if(job.cancelled)
        picture = to_network_picture(
            job.pixels, settings.resolution, checkpoint.latent_factor, job.resampling, self.device, torch.float32
        )
        if not torch.isfinite(picture.image).all():
            raise MarigoldError(
                "bad_input", "The picture holds values that are not numbers: mend it, or leave them out."
            )
        image_latent = self._encode(picture.image, ladder)  # [1, 4, h, w]
        job.report("encoding", 1, 1)
        if not job.batch_size:
            pixels = picture.image.shape[-2] * picture.image.shape[-1]
            job.batch_size = choose_batch_size(
                self.device, self.dtype, settings.ensemble, pixels, checkpoint.widest_decoder_layer
            )
        while len(job.members) < len(job.streams):
            self._next_members(job, image_latent, ladder)
        members = torch.stack(job.members)[:, : picture.height, : picture.width]  # [E, PH, PW]
        depth, uncertainty = self._merge(members, job)
        return Prediction(
            to_photo_size(depth, height, width, job.resampling),
            None if uncertainty is None else to_photo_size(uncertainty, height, width, job.resampling),
            (picture.width, picture.height),
            str(checkpoint.unet.dtype).removeprefix("torch."),
            torch.stack(job.latents),
        )

    def _encode(self, image: torch.Tensor, ladder: MemoryLadder) -> torch.Tensor:
        """The latent of a picture [1, 3, PPH, PPW]; that of the last one is kept for other seeds and settings."""
        vae = self.checkpoint.vae
        content = hashlib.sha256(image.cpu().numpy().tobytes()).hexdigest()
        key = (content, tuple(image.shape), vae.dtype, ladder.tile)
        if self._encoded is None or self._encoded[0] != key:
            ladder.take_turn(vae)
            image_latent = encode(self.checkpoint, image.to(vae.dtype))
            require_finite(image_latent)
            self._encoded = key, image_latent
        return self._encoded[1]

    def _next_members(self, job: _Job, image_latent: torch.Tensor, ladder: MemoryLadder) -> None:
        """The next batch of members, or the knowledge that it was too large."""
        chosen = job.streams[len(job.members) :][: job.batch_size]
        try:
            job.members += self._batch(job, image_latent, chosen, ladder)
        except (RuntimeError, MemoryError) as error:
            for replay in chosen:
                replay.rewind()
            if not is_out_of_memory(error) or len(chosen) == 1:
                raise
            job.batch_size = len(chosen) // 2
        # Outside the handler, whose traceback would keep the batch's tensors alive.
        release_cached_memory(self.device)

    def _batch(
        self, job: _Job, image_latent: torch.Tensor, streams: list[ReplayedNoise], ladder: MemoryLadder
    ) -> list[torch.Tensor]:
        """Depth of one batch of members, each [PPH, PPW] float32 on the CPU."""
        steps, ensemble, before = job.settings.steps, job.settings.ensemble, len(job.members)
        done = before * steps

        def step_done() -> None:
            nonlocal done
            done += len(streams)
            job.report("denoising", done, ensemble * steps)

        job.report("denoising", done, ensemble * steps)
        ladder.take_turn(self.checkpoint.unet)
        latent = denoise(self.checkpoint, image_latent, streams, steps, step_done)  # [B, 4, h, w]
        require_finite(latent)
        job.report("decoding", before, ensemble)
        ladder.take_turn(self.checkpoint.vae)
        depth = decode(self.checkpoint, latent)  # [B, PPH, PPW]
        require_finite(depth)
        job.latents += list(latent.float().cpu())
        job.report("decoding", before + len(streams), ensemble)
        return list(depth.float().cpu())

    def _merge(self, members: torch.Tensor, job: _Job) -> tuple[torch.Tensor, torch.Tensor | None]:
        """One depth map of all members; a single prediction is left as it is, as in diffusers."""
        if len(members) == 1:
            return members[0], None
        job.report("aligning", 0, 1)
        ensemble = Ensemble()
        ensemble.add(members)
        depth, uncertainty = ensemble.merge(job.reduction, check=lambda: stop_if(job.cancelled))
        job.report("aligning", 1, 1)
        return depth, uncertainty


@dataclass
class _Job:
    """One estimate under way: what was asked, and the members that are done, which no failure of memory loses."""

    pixels: np.ndarray
    settings: EstimateSettings
    streams: list[ReplayedNoise]
    batch_size: int
    resampling: Resampling
    reduction: Reduction
    report: Report
    cancelled: Callable[[], bool]
    members: list[torch.Tensor] = field(default_factory=list)
    latents: list[torch.Tensor] = field(default_factory=list)

    def restart(self) -> None:
        self.members.clear()
        self.latents.clear()
        for stream in self.streams:
            stream.rewind()


def _out_of_memory(what: str, error: BaseException) -> MarigoldError:
    return MarigoldError(
        "out_of_memory",
        f"{what}: lower the resolution or the ensemble size, or close other programs.",
        details=f"{type(error).__name__}: {error}",
    )
