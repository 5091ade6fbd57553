# SPDX-License-Identifier: GPL-3.0-or-later
"""The estimator: loaded weights that turn photos into affine-invariant depth. Used by `worker.server`, `training`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..errors import MarigoldError
from ..settings import EstimateSettings
from .cancelling import cancellable, stop_if
from .checkpoint import Checkpoint, load_checkpoint
from .denoising import decode, denoise, encode
from .devices import choose_batch_size, choose_device, choose_dtype, is_out_of_memory, release_cached_memory
from .ensembling import Ensemble, Reduction
from .noise import NoiseStream, member_noise
from .resampling import Resampling, to_network_picture, to_photo_size

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
    """

    depth: np.ndarray
    uncertainty: np.ndarray | None
    processing_size: tuple[int, int]


class Estimator:
    """A checkpoint in memory. Lives as long as its weights should stay loaded; not for several threads at once."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> None:
        self.checkpoint = checkpoint
        self.device = device
        self.dtype = dtype

    @classmethod
    def load(cls, folder: Path, device: str = "auto", *, zero_noise: bool | None = None) -> Estimator:
        """Load the checkpoint in `folder` (diffusers format).

        Args:
            device: `auto`, or a device of torch.
            zero_noise: whether it was fine-tuned to start from zeros (E2E-FT); None: as its files say.

        Raises:
            MarigoldError: missing, damaged or unsuitable files (`no_model`), no such device (`bad_input`), or too
                little memory (`out_of_memory`).
        """
        where = choose_device(device)
        dtype = choose_dtype(where)
        try:
            return cls(load_checkpoint(Path(folder), where, dtype, zero_noise=zero_noise), where, dtype)
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
        height, width = pixels.shape[:2]
        streams = streams or [member_noise(settings.seed, member) for member in range(settings.ensemble)]
        checkpoint = self.checkpoint
        with cancellable([checkpoint.unet, checkpoint.vae], cancelled):
            try:
                report("encoding", 0, 1)
                stop_if(cancelled)
                picture = to_network_picture(
                    pixels, settings.resolution, checkpoint.latent_factor, resampling, self.device, self.dtype
                )
                image_latent = encode(checkpoint, picture.image)  # [1, 4, h, w]
                report("encoding", 1, 1)
                batch = batch_size or choose_batch_size(
                    self.device,
                    self.dtype,
                    settings.ensemble,
                    picture.image.shape[-2] * picture.image.shape[-1],
                    _widest_decoder_layer(checkpoint),
                )
                members = self._members(image_latent, streams, settings, batch, report)  # [E, PPH, PPW]
                members = members[:, : picture.height, : picture.width]
                if not torch.isfinite(members).all():
                    raise MarigoldError(
                        "no_model",
                        "The model gives values that are not numbers: its files are damaged, download it again.",
                    )
                depth, uncertainty = self._merge(members, reduction, report, cancelled)
                return Prediction(
                    to_photo_size(depth, height, width, resampling),
                    None if uncertainty is None else to_photo_size(uncertainty, height, width, resampling),
                    (picture.width, picture.height),
                )
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                release_cached_memory(self.device)
                raise _out_of_memory(
                    "The photo at this processing resolution does not fit into memory", error
                ) from error

    def _members(
        self,
        image_latent: torch.Tensor,
        streams: list[NoiseStream],
        settings: EstimateSettings,
        batch: int,
        report: Report,
    ) -> torch.Tensor:
        """Every member's depth, [E, PPH, PPW] float32 on the CPU, in batches that shrink when memory runs out."""
        members: list[torch.Tensor] = []
        replays = [_Replay(stream) for stream in streams]
        while len(members) < len(streams):
            chosen = replays[len(members) : len(members) + batch]
            try:
                members += self._batch(image_latent, chosen, settings, len(members), report)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or len(chosen) == 1:
                    raise
                batch = len(chosen) // 2
                for replay in chosen:
                    replay.rewind()
            # Outside the handler, whose traceback would keep the batch's tensors alive.
            release_cached_memory(self.device)
        return torch.stack(members)

    def _batch(
        self,
        image_latent: torch.Tensor,
        streams: list[_Replay],
        settings: EstimateSettings,
        before: int,
        report: Report,
    ) -> list[torch.Tensor]:
        total = settings.ensemble * settings.steps
        done = before * settings.steps

        def step_done() -> None:
            nonlocal done
            done += len(streams)
            report("denoising", done, total)

        report("denoising", done, total)
        latent = denoise(self.checkpoint, image_latent, streams, settings.steps, step_done)  # [B, 4, h, w]
        report("decoding", before, settings.ensemble)
        depth = decode(self.checkpoint, latent)  # [B, PPH, PPW]
        report("decoding", before + len(streams), settings.ensemble)
        return list(depth.float().cpu())

    def _merge(
        self, members: torch.Tensor, reduction: Reduction, report: Report, cancelled: Callable[[], bool]
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """One depth map of all members; a single prediction is left as it is, as in diffusers."""
        if len(members) == 1:
            return members[0], None
        report("aligning", 0, 1)
        ensemble = Ensemble()
        ensemble.add(members)
        depth, uncertainty = ensemble.merge(reduction, check=lambda: stop_if(cancelled))
        report("aligning", 1, 1)
        return depth, uncertainty


class _Replay:
    """A noise stream that can give its draws a second time, for a batch that is repeated after memory ran out."""

    def __init__(self, stream: NoiseStream) -> None:
        self.stream = stream
        self.drawn: list[torch.Tensor] = []
        self.position = 0

    def __call__(self, shape: tuple[int, ...]) -> torch.Tensor:
        if self.position == len(self.drawn):
            self.drawn.append(self.stream(shape))
        self.position += 1
        return self.drawn[self.position - 1]

    def rewind(self) -> None:
        self.position = 0


def _widest_decoder_layer(checkpoint: Checkpoint) -> int:
    """Channels of the decoder's widest layer at full size: its last block still takes the block before's."""
    channels = checkpoint.vae.config.block_out_channels
    return int(channels[min(1, len(channels) - 1)])


def _out_of_memory(what: str, error: BaseException) -> MarigoldError:
    return MarigoldError(
        "out_of_memory",
        f"{what}: lower the resolution or the ensemble size, or close other programs.",
        details=f"{type(error).__name__}: {error}",
    )
