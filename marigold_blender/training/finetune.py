# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold train finetune`: Marigold's recipe on a Stable Diffusion 2 or Marigold folder, with the user's data."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from ..errors import MarigoldError
from .dataset import SampleFile
from .depth_range import Sky
from .diffusion import DiffusionSettings, new_scheduler
from .loop import LoopSettings
from .model_folder import model_index, replace_folder
from .recipe import encode_as_it_goes, train_unet
from .unet import load_unet


@dataclass(frozen=True)
class FineTune:
    """What to fine-tune, on what.

    Attributes:
        base: a Stable Diffusion 2 or Marigold folder in diffusers format.
        run: folder of checkpoints and log; the result is `run/checkpoint`.
        objective: "diffusion" (the paper), or "end-to-end" (a one-step model, from a Marigold base).
        resolution: longer edge of the training views in pixels; 0: the base's own.
        batch: views in a micro-batch.
    """

    base: Path
    run: Path
    objective: Literal["diffusion", "end-to-end"] = "diffusion"
    resolution: int = 0
    batch: int = 2
    sky: Sky = "invalid"


def fine_tune(
    plan: FineTune,
    samples: Sequence[SampleFile],
    settings: LoopSettings,
    report: Callable[[int, int, float], None],
    diffusion: DiffusionSettings | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Path:
    """Train, or go on training, and write the checkpoint folder.

    Returns:
        The folder, which every Marigold pipeline loads.
    """
    index = read_model_index(plan.base)
    unet = load_unet(plan.base)
    vae = AutoencoderKL.from_pretrained(plan.base, subfolder="vae", torch_dtype=torch.float32).eval()
    prompt = empty_prompt_embedding(plan.base)
    resolution = plan.resolution or index.get("default_processing_resolution") or 768
    next_batch = encode_as_it_goes(samples, vae, plan.batch, resolution, plan.sky)
    objective: DiffusionSettings | Literal["end-to-end"] = diffusion or DiffusionSettings()
    if plan.objective == "end-to-end":
        objective = "end-to-end"
    trained = train_unet(unet, vae, prompt, next_batch, settings, objective, plan.run, report, stop=stop)
    steps = 1 if plan.objective == "end-to-end" else 4
    folder = plan.run / "checkpoint"
    write_beside_base(plan.base, trained, folder, steps, resolution)
    return folder


def write_beside_base(base: Path, unet: UNet2DConditionModel, folder: Path, steps: int, resolution: int) -> None:
    """A checkpoint folder with the base's VAE, text encoder and tokenizer, and the trained U-Net."""
    beside = folder.with_name(f".{folder.name}.writing")
    shutil.rmtree(beside, ignore_errors=True)
    for part in ("vae", "text_encoder", "tokenizer"):
        shutil.copytree(base / part, beside / part)
    unet.save_pretrained(beside / "unet", safe_serialization=True)
    new_scheduler().save_pretrained(beside / "scheduler")
    (beside / "model_index.json").write_text(json.dumps(model_index(steps, resolution), indent=2) + "\n")
    replace_folder(beside, folder)


def read_model_index(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / "model_index.json").read_text())
    except (OSError, ValueError) as error:
        raise MarigoldError(
            "no_model", f"{folder} is no model folder in diffusers format.", details=str(error)
        ) from error


@torch.no_grad()
def empty_prompt_embedding(folder: Path) -> torch.Tensor:
    """[1, 2, width]: what the folder's text encoder makes of the empty prompt, unpadded."""
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    encoder = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32).eval()
    tokens = tokenizer("", padding="do_not_pad", return_tensors="pt").input_ids
    return encoder(tokens)[0]
