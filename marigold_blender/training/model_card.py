# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the demo checkpoint's README.md: data, recipe, figures per family, limits, licence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .evaluate import sky_share
from .render import HELD_OUT
from .scene_files import write_whole

LIMITS = """\
It is small and has seen only scenes that a program made. Of photographs, open views, buildings and single things before
a background come out plausibly; close views, crowds, glass, mirrors and pictures of pictures often do not, and thin
things vanish. Depth is coarse, and nothing in it is metric. Use a published Marigold checkpoint for real work."""
CARD = """\
# Marigold demo checkpoint

A small latent diffusion depth model of Marigold's architecture, made from nothing by the stages of
`make demo-checkpoint`: it lets everything run offline within seconds. Affine-invariant depth, 0 = near, 1 = far; it
runs unpatched in diffusers' `MarigoldDepthPipeline` (`dtype=torch.float32` on a processor).

**Data.** {pictures:,} pictures of procedural scenes that Blender's Cycles rendered, sky supervised as far. The
family `{held_out}` was kept out of training. Textures: synthetic ones, and surfaces and small crops of the photographs
that ship with scikit-image and scikit-learn.

**Recipe.** VAE {vae_steps:,} steps on 16 crops. U-Net {unet_steps:,} steps:
{stages};
v-prediction, zero terminal SNR, half of the batches with annealed multi-resolution noise 0.9, seven tenths of the views
at the last timestep, most others on the network's own first estimate, the error's averages over 2, 4, 8 and 16 latents
counted too, errors beyond 0.2 counted by their length, half of the views mirrored, dropout 0.1, Muon, averaged weights;
seed 2024. The decoder learns a little more then, on latents with noise. At last the U-Net is tuned for
{tuning_steps:,} steps on 32 views of 256 px, half of them the mirrored twins of the others, with a second layer at its
level of 16 x 16, at a fourth of the rate and falling, as is the dropout, on the error that evaluation measures besides
(of depth read from the latents, after the picture's own scale and shift), and with what it estimates of twins held to
their mean; and what the decoder gives is scaled about its near end, as far as the sky needs it.

**Figures.** 4 steps, single predictions, least-squares aligned; *ramp* is a·row + b fitted to each picture's truth,
*range error* the mean error as a share of the truth's range, *sky ≥ 0.9* the share of all sky pixels that come out
there.

| family | pictures | AbsRel | δ1 | range error | ramp AbsRel | ramp δ1 | sky ≥ 0.9 |
|---|---|---|---|---|---|---|---|
{rows}

**Limits.** {limits}

Licence: CC0.
"""


def write_model_card(
    path: Path, figures: Mapping[str, Mapping[str, Any]], pictures: int, steps: tuple[int, int, int], stages: str
) -> None:
    """Write the card.

    Args:
        figures: results of `evaluate_model` by test set (`seen`: families trained on, other seeds; `unseen`).
        pictures: how many were trained on.
        steps: of the VAE, of the U-Net, and of tuning it.
        stages: the U-Net's, in words.
    """
    vae_steps, unet_steps, tuning_steps = steps
    rows = []
    for name, result in figures.items():
        for family, pictures_of in _by_family(result["per_image"]).items():
            rows.append(_row(family + (" (unseen)" if name == "unseen" else ""), pictures_of))
        if name == "seen":
            rows.append(_row("**all seen**", result["per_image"]))
    card = CARD.format(
        pictures=pictures,
        held_out=HELD_OUT,
        vae_steps=vae_steps,
        unet_steps=unet_steps,
        tuning_steps=tuning_steps,
        stages=stages,
        rows="\n".join(rows),
        limits=LIMITS,
    )
    write_whole(path, card.encode())


def _by_family(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    families: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        families.setdefault(row["name"].split("_")[0], []).append(row)
    return families


def _row(label: str, rows: list[dict[str, Any]]) -> str:
    metrics = ("abs_rel", "delta1", "range_error", "ramp_abs_rel", "ramp_delta1")
    means = [f"{np.mean([row[metric] for row in rows]):.3f}" for metric in metrics]
    sky = sky_share(rows)
    return f"| {label} | {len(rows)} | " + " | ".join(means) + (f" | {sky:.3f} |" if sky is not None else " | – |")
