# SPDX-License-Identifier: GPL-3.0-or-later
"""Encodes training views once and keeps them: the VAE is frozen, and on a processor it costs as much as the U-Net.

`encode_data_set` makes the cache in stages that resume, `CachedLatents` draws batches from it. Training on a large
checkpoint instead encodes as it goes: see `recipe.py`.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch.nn import functional

from ..errors import MarigoldError
from ..estimation.devices import has_bfloat16
from .dataset import SampleFile
from .depth_range import Sky
from .loop import Turn
from .noise import seeded_noise
from .scene_files import write_whole
from .views import Shows, TrainingView, training_view


@dataclass(frozen=True)
class ViewTruth:
    """What the depth latents were made of, for errors that are not those of latents.

    Attributes:
        code: [B, h, w], mean depth in -1..1 of the pixels under each latent.
        nearest, has_sky: [B], as in `TrainingView`.
    """

    code: torch.Tensor
    nearest: torch.Tensor
    has_sky: torch.Tensor


@dataclass(frozen=True)
class Estimate:
    """Depth latents that a network made of views it had not seen, and the noise they came from: both [B, 4, h, w]."""

    depth: torch.Tensor
    noise: torch.Tensor


@dataclass(frozen=True)
class LatentBatch:
    """Views as the U-Net sees them: image and depth [B, 4, h, w] times the scaling factor; valid [B, 1, h, w]."""

    image: torch.Tensor
    depth: torch.Tensor
    valid: torch.Tensor
    truth: ViewTruth | None = None
    estimate: Estimate | None = None

    def first(self, count: int) -> LatentBatch:
        return LatentBatch(self.image[:count], self.depth[:count], self.valid[:count])


def encode_views(vae: AutoencoderKL, views: Sequence[TrainingView]) -> LatentBatch:
    """Encode views of one size. A latent is valid if every pixel under it is (the official code's max-pooling)."""
    device = next(vae.parameters()).device
    rgb = torch.from_numpy(np.stack([view.rgb for view in views])).permute(0, 3, 1, 2).to(device)
    depth = torch.from_numpy(np.stack([view.depth for view in views]))[:, None].to(device)  # [B, 1, H, W]
    valid = torch.from_numpy(np.stack([view.valid for view in views]))[:, None].to(device)
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    with torch.no_grad():
        both = vae.encode(torch.cat([rgb, depth.repeat(1, 3, 1, 1)])).latent_dist.mean * vae.config.scaling_factor
    image, target = both.float().chunk(2)
    truth = ViewTruth(
        functional.avg_pool2d(depth, factor)[:, 0],
        torch.tensor([view.nearest for view in views], device=device),
        torch.tensor([view.has_sky for view in views], device=device),
    )
    return LatentBatch(image, target, functional.max_pool2d((~valid).float(), factor, factor) == 0, truth)


def encode_data_set(
    samples: Sequence[SampleFile],
    vae: AutoencoderKL,
    folder: Path,
    report: Callable[[int, int], None],
    variants: Sequence[int] = (0, 1),
    long_side: int = 256,
    sky: Sky = "far",
    seed: int = 1,
    enlarge: int = 1,
) -> int:
    """Encode what is missing: of each sample the variants named. See `_shows`.

    In bfloat16 where the hardware has it: it moves latents by less than 1 % of their spread, and takes half the time.

    Args:
        enlarge: of small pictures: encode at `long_side` over this and enlarge the latents, which are nearly those of
            the enlarged picture (the VAE starts as pooling) at a fraction of the time.

    Returns:
        The number of views in `folder`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    vae.eval().to(memory_format=torch.channels_last)
    done = 0
    for variant in variants:
        for sample_file in samples:
            done += 1
            path = folder / f"{sample_file.name}.{variant}.npz"
            if path.exists():
                continue
            rng = np.random.default_rng([seed, zlib.crc32(sample_file.name.encode()), variant])
            view = training_view(sample_file.read(), rng, long_side // enlarge, sky, shows=_shows(variant))
            with torch.autocast(vae.device.type, torch.bfloat16, enabled=has_bfloat16(vae.device)):
                batch = encode_views(vae, [view])
            write_whole(path, _packed(batch if enlarge == 1 else _enlarged(batch, enlarge)))
            report(done, len(samples) * len(variants))
    return sum(1 for _ in folder.glob("*.npz"))


def _shows(variant: int) -> Shows:
    """The first view of a picture is all of it, the third is tilted, and so on by fours; those between are crops."""
    return "crop" if variant % 2 else "tilted" if variant % 4 else "whole"


def _enlarged(batch: LatentBatch, times: int) -> LatentBatch:
    def larger(part: torch.Tensor) -> torch.Tensor:
        return functional.interpolate(part.float(), scale_factor=times, mode="bilinear")

    valid = functional.interpolate(batch.valid.float(), scale_factor=times) > 0
    truth = batch.truth
    if truth:
        truth = ViewTruth(larger(truth.code[:, None])[:, 0], truth.nearest, truth.has_sky)
    return LatentBatch(larger(batch.image), larger(batch.depth), valid, truth)


def _packed(batch: LatentBatch) -> bytes:
    """The one view of a batch as an .npz file."""
    buffer, truth = io.BytesIO(), batch.truth
    assert truth is not None
    np.savez(
        buffer,
        image=batch.image[0].half().cpu().numpy(),
        depth=batch.depth[0].half().cpu().numpy(),
        valid=batch.valid[0].cpu().numpy(),
        code=truth.code[0].half().cpu().numpy(),
        nearest=truth.nearest[0].cpu().numpy(),
        has_sky=truth.has_sky[0].cpu().numpy(),
    )
    return buffer.getvalue()


MOST_CUT = 7  # latents: with it the views' sizes, eight apart, cover all between
PARTS = ("image", "depth", "valid", "code", "nearest", "has_sky")  # of a cached view


class CachedLatents:
    """All views of a cache in memory, grouped by size; `__call__` draws a batch of one size, half of it mirrored.

    A latent that is mirrored is nearly that of the mirrored picture: decoded, it is off by 0.025 of [-1, 1] on average
    where one that is not is off by 0.017.

    Args:
        cut_share: share of the batches that lose one to seven lines of latents along the short edge. Views' edges are
            multiples of eight latents, those of photographs are not: a U-Net that has never seen such was a tenth worse
            on pictures of 256 x 153 than on the same ones stretched to 256 x 160.
        estimates: a folder that `estimate_views` filled from the same cache; batches come with its estimates.
    """

    def __init__(
        self,
        folder: Path,
        batch: int,
        skip: Callable[[str], bool] = lambda name: False,
        cut_share: float = 0.0,
        estimates: Path | None = None,
    ) -> None:
        self.batch, self.cut_share = batch, cut_share
        groups: dict[tuple[int, ...], list[tuple[np.ndarray, ...]]] = {}
        for path in sorted(folder.glob("*.npz")):
            if not skip(path.name):
                with np.load(path) as view:
                    if "code" not in view:
                        raise MarigoldError(
                            "bad_input", f"{folder} was encoded by an older version; remove it and encode anew."
                        )
                    parts = tuple(view[name] for name in PARTS)
                    if estimates:
                        parts += _estimate(estimates / path.name)
                    groups.setdefault(parts[0].shape, []).append(parts)
        self.groups = list(groups.values())
        if not self.groups:
            raise MarigoldError("bad_input", f"{folder} holds no encoded views; run the encode stage first.")
        sizes = np.array([len(group) for group in self.groups], float)
        self.shares = sizes / sizes.sum()

    def __call__(self, turn: Turn) -> LatentBatch:
        rng = turn.rng()
        group = self.groups[rng.choice(len(self.groups), p=self.shares)]
        chosen = [group[i] for i in rng.integers(0, len(group), self.batch)]
        parts = [torch.from_numpy(np.stack(part)).to(turn.device) for part in zip(*chosen, strict=True)]
        mirrored = torch.from_numpy(rng.random(self.batch) < 0.5).to(turn.device)
        maps, (nearest, has_sky, *estimate) = parts[:4], parts[4:]
        if estimate:
            noise = [seeded_noise(int(seed), maps[0].shape[1:]) for seed in estimate[1]]
            maps = [*maps, estimate[0], torch.stack(noise).to(turn.device)]
        maps = [torch.where(mirrored.view(-1, *[1] * (part.ndim - 1)), part.flip(-1), part) for part in maps]
        if self.cut_share and rng.random() < self.cut_share:
            maps = _cut_short_edge(maps, rng)
        image, depth, valid, code, *own = maps
        truth = ViewTruth(code.float(), nearest, has_sky)
        return LatentBatch(
            image.float(), depth.float(), valid, truth, Estimate(own[0].float(), own[1]) if own else None
        )


def _estimate(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """A view's estimated depth latents [4, h, w] and the seed of the noise that they came from."""
    if not path.exists():
        raise MarigoldError("bad_input", f"The view {path.name} has no estimate in {path.parent}; make them first.")
    with np.load(path) as kept:
        return kept["depth"], kept["seed"]


def _cut_short_edge(maps: Sequence[torch.Tensor], rng: np.random.Generator) -> list[torch.Tensor]:
    """The same maps [..., h, w] without one to MOST_CUT of their rows or, if they are upright, columns."""
    height, width = maps[0].shape[-2:]
    edge, size = (-2, height) if height <= width else (-1, width)
    left = size - int(rng.integers(1, min(MOST_CUT, size - 1) + 1))
    start = int(rng.integers(0, size - left + 1))
    return [part.narrow(edge, start, left) for part in maps]
