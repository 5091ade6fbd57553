# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold train demo`: remakes the demo checkpoint from nothing, in stages that resume (`make demo-checkpoint`)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..settings import EstimateSettings
from .data_sets import open_data_set
from .demo_plan import DemoPlan
from .diffusion import FROM_NOTHING
from .evaluate import evaluate_model
from .model_card import write_model_card
from .render import HELD_OUT, RenderPlan, render_data_set
from .scene_files import write_whole
from .stages import RESOLUTION, run_decoder, run_encode, run_far_end, run_pack, run_unet, run_vae


@dataclass(frozen=True)
class Stage:
    """Part of the U-Net's training: small views are learnt several times faster, so layout first, detail afterwards.

    Attributes:
        resolution: longer edge of the views.
        end: share of all steps after which the next stage begins.
        batch: views a step.
        variants: how many views are encoded of each picture, by data set. Small pictures cost a third of large ones,
            tiny ones a fifth, and how many different ones a network has seen decides how well it reads the layout of a
            new one. In tiny ones, and enlarged small ones, crops show nothing more than the whole.
    """

    resolution: int
    end: float
    batch: int
    variants: dict[str, int]


UNET_STAGES = (
    Stage(64, 0.35, 64, {"train": 4, "small": 4}),
    Stage(128, 0.94, 48, {"train": 4, "small": 4, "tiny": 1}),
    Stage(RESOLUTION, 1.0, 16, {"train": 2, "small": 1}),
)
TUNING = replace(
    FROM_NOTHING,
    multi_share=0.25,
    terminal_share=0.4,
    inference_share=0.6,
    own_share=1.0,
    second_share=0.35,
    aligned=8.0,
    mirrored=2.0,
)
TUNING_BATCH, TUNING_VARIANTS = 16, 3  # each view counts twice: it has a mirrored twin
# their scenes are numbered from here: no name occurs twice
FIRST_SMALL, FIRST_TINY, FIRST_SHARP = 100_000, 300_000, 700_000


def make_demo_checkpoint(plan: DemoPlan, say: Callable[[str], None]) -> Path:
    """Run every stage that is not done yet.

    Args:
        say: told what is going on, a line at a time.

    Returns:
        The checkpoint folder, with its model card and `evaluation.json` beside it.
    """
    data, runs = plan.folder / "data", plan.folder / "runs"
    train = RenderPlan(data / "train", count=plan.scenes, seed=1, workers=plan.workers)
    seen = replace(train, folder=data / "seen", count=plan.tests, seed=2, views=1)
    unseen = replace(seen, folder=data / "unseen", families=(HELD_OUT,), count=plan.held_out_tests, seed=3)
    small = replace(train, folder=data / "small", count=plan.small_scenes, seed=4, size=160, views=3, first=FIRST_SMALL)
    tiny = replace(
        small, folder=data / "tiny", count=plan.tiny_scenes, seed=6, size=128, samples=2, views=2, first=FIRST_TINY
    )
    sharp = replace(
        tiny, folder=data / "sharp", count=plan.sharp_scenes, seed=11, size=RESOLUTION, samples=1, first=FIRST_SHARP
    )
    pictures = 0
    for part in (seen, unseen, train, small, tiny, sharp):
        say(f"Rendering {part.folder.name}: {part.count} scenes of {', '.join(part.families)}")
        rendered = render_data_set(part, lambda done, total: None)
        pictures += rendered if part not in (seen, unseen) else 0

    def losses(step: int, steps: int, loss: float) -> None:
        say(f"step {step} of {steps}: loss {loss:.4f}")

    say("Training the VAE")
    run_vae(train.folder, runs, plan.vae_steps, losses)
    for stage in UNET_STAGES:
        say(f"Encoding at {stage.resolution} pixels")
        for name, variants in stage.variants.items():
            run_encode(data / name, runs, variants, lambda done, total: None, stage.resolution)
        say(f"Training the U-Net at {stage.resolution} pixels")
        until = int(plan.unet_steps * stage.end)
        run_unet(runs, plan.unet_steps, stage.batch, losses, FROM_NOTHING, resolution=stage.resolution, until=until)
    say("Training the decoder")
    run_decoder(train.folder, runs, plan.decoder_steps, losses)
    say("Tuning the U-Net")
    run_encode(sharp.folder, runs, TUNING_VARIANTS, lambda done, total: None)
    run_unet(runs, plan.tuning_steps, TUNING_BATCH, losses, TUNING, "tuned", tunes="unet")
    say(f"The decoder's depth is scaled by {run_far_end(runs, 'tuned'):.2f} about its near end")
    checkpoint = runs / "tuned/checkpoint"
    run_pack(runs, "tuned", checkpoint)
    say("Evaluating")
    figures = {part.folder.name: _figures(part.folder, checkpoint) for part in (seen, unseen)}
    write_whole(runs / "tuned/evaluation.json", json.dumps(figures, indent=1).encode())
    steps = (plan.vae_steps, plan.unet_steps, plan.tuning_steps)
    write_model_card(checkpoint / "README.md", figures, pictures, steps, in_words())
    return checkpoint


def in_words() -> str:
    """The U-Net's stages for the model card."""
    starts = (0.0, *(stage.end for stage in UNET_STAGES))
    parts = [
        f"{stage.end - start:.0%} on {stage.batch} views of {stage.resolution} px"
        for start, stage in zip(starts, UNET_STAGES, strict=False)
    ]
    return ", ".join(parts)


def _figures(data: Path, checkpoint: Path) -> dict[str, Any]:
    settings = EstimateSettings(model=str(checkpoint), steps=4, ensemble=1)
    return evaluate_model(open_data_set(data), checkpoint, settings, lambda done, total: None)
