# SPDX-License-Identifier: GPL-3.0-or-later
"""What a checkpoint's small files say, without loading a network. Called by the worker and by `checkpoint`.

Standard library only: a photo whose depth is in the cache is answered without importing torch's and diffusers' weight.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import MarigoldError
from .weight_files import checkpoint_revision, count_parameters, find_weights

PIPELINES = ("MarigoldDepthPipeline", "MarigoldPipeline")  # the second is what the first revisions were called
DEFAULT_RESOLUTION = 768  # of every checkpoint whose index does not say, as in Ke et al.
NOTE = "marigold.json"  # what a download wrote beside the files, see `models.manifest`


@dataclass(frozen=True)
class Defaults:
    """What a checkpoint's files say without loading its weights.

    Attributes:
        steps, resolution: denoising steps and processing resolution that it was made for.
        revision: names exactly these files and this use of them.
        zero_noise: starts from zeros in a single step (E2E-FT, Martin Garcia et al. 2024): nothing in it is random.
        parameters: of the U-Net; `devices.choose_dtype` goes by its size.
    """

    steps: int
    resolution: int
    revision: str
    zero_noise: bool
    parameters: int


def read_defaults(folder: Path) -> Defaults:
    """The defaults of the checkpoint in `folder`.

    Raises:
        MarigoldError: a file is missing or cut short, or the model is for another task (`no_model`).
    """
    index = _read_index(folder)
    config = read_json(folder / "scheduler" / "scheduler_config.json")
    steps = index.get("default_denoising_steps") or _usual_steps(config)
    zero_noise = _starts_from_zeros(folder, steps, config)
    return Defaults(
        1 if zero_noise else steps,
        index.get("default_processing_resolution") or DEFAULT_RESOLUTION,
        checkpoint_revision(folder) + (":zeros" if zero_noise else ""),
        zero_noise,
        count_parameters(find_weights(folder / "unet")[0]),
    )


def _starts_from_zeros(folder: Path, steps: int, config: dict[str, Any]) -> bool:
    """As the catalogue says of a model that was fetched; of others: only end-to-end training makes one-step DDIM."""
    if (folder / NOTE).is_file():
        return bool(read_json(folder / NOTE).get("zero_noise"))
    return steps == 1 and config.get("_class_name") == "DDIMScheduler"


def _usual_steps(config: dict[str, Any]) -> int:
    """What the published checkpoints do where an index says nothing."""
    if config.get("_class_name") == "LCMScheduler":
        return 1
    return 4 if config.get("timestep_spacing") == "trailing" else 10


def _read_index(folder: Path) -> dict[str, Any]:
    """`model_index.json`, once it is certain that this is a model for depth."""
    if not folder.is_dir():
        raise MarigoldError("no_model", f"There is no model folder {folder}.")
    index = read_json(folder / "model_index.json")
    pipeline = index.get("_class_name")
    if pipeline not in PIPELINES:
        raise MarigoldError(
            "no_model",
            f"The model in {folder} is a {pipeline}: choose a Marigold model for depth (MarigoldDepthPipeline).",
        )
    task = index.get("prediction_type") or "depth"
    if task != "depth":
        raise MarigoldError("no_model", f"The model in {folder} predicts {task}: choose a Marigold model for depth.")
    return index


def read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise missing(path) from error
    except (OSError, ValueError) as error:
        raise damaged(path, error) from error
    if not isinstance(content, dict):
        raise damaged(path, ValueError("not a JSON object"))
    return content


def missing(path: Path) -> MarigoldError:
    return MarigoldError("no_model", f"The model is incomplete, {path} is missing: download it again.")


def damaged(path: Path, error: Exception) -> MarigoldError:
    return MarigoldError(
        "no_model", f"The model file {path} is damaged: download it again.", details=f"{type(error).__name__}: {error}"
    )
