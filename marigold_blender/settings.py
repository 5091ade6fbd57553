# SPDX-License-Identifier: GPL-3.0-or-later
"""What an estimate is asked to be: the settings and the presets that fill them in. Standard library only.

Used by the operators (inside Blender), the command line and the worker.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from .errors import MarigoldError

Preset = Literal["DRAFT", "BALANCED", "BEST"]

MAX_STEPS = 100
MAX_ENSEMBLE = 50
MAX_RESOLUTION = 4096
MAX_TILING = 8


@dataclass(frozen=True)
class EstimateSettings:
    """Everything that decides which depth comes out of a photo.

    The same settings and seed give the same depth within 1e-5, whatever the batch size: member i of the ensemble draws
    its noise from `numpy.random.SeedSequence([seed, i])`.

    Attributes:
        model: a name of the catalogue (`demo`, …) or the path of a folder in diffusers format.
        preset: fills in every 0 below.
        steps: denoising steps; 0 = as the preset says.
        ensemble: ensemble size; 0 = as the preset says.
        resolution: processing resolution, the long edge in pixels that the network sees; 0 = the model's own.
        seed: any integer from 0 to 2**32 - 1.
        tiling: how many times tiles double the processing resolution, as far as the photo has pixels; 0 = no tiles.
    """

    model: str = "demo"
    preset: Preset = "BALANCED"
    steps: int = 0
    ensemble: int = 0
    resolution: int = 0
    seed: int = 0
    tiling: int = 0

    def resolved(
        self,
        default_steps: int,
        default_resolution: int,
        *,
        single_step: bool = False,
        on_processor: bool = False,
    ) -> EstimateSettings:
        """These settings with every 0 replaced, for a model whose own defaults are given.

        Args:
            single_step: the model takes one step without noise, so that all its predictions are the same.
            on_processor: the depth is computed without a graphics card, where a draft is taken smaller.

        Raises:
            MarigoldError: a value is out of range, or more is asked of a single-step model (`bad_input`).
        """
        if self.preset not in PRESETS:
            raise MarigoldError("bad_input", f"There is no preset “{self.preset}”: use {', '.join(PRESETS)}.")
        if single_step and (self.steps > 1 or self.ensemble > 1):
            raise MarigoldError(
                "bad_input",
                f"{self.model} takes a single step and gives the same depth every time: set steps and ensemble size to "
                "0 or 1, or choose another model.",
            )
        recipe = PRESETS[self.preset]
        if single_step:
            recipe = replace(recipe, steps=1, ensemble=1)
        longest = recipe.longest_on_processor if on_processor else 0
        filled = replace(
            self,
            steps=self.steps or recipe.steps or default_steps,
            ensemble=self.ensemble or recipe.ensemble,
            resolution=self.resolution or min(default_resolution, longest or default_resolution),
        )
        for name, value, lowest, highest in (
            ("steps", filled.steps, 1, MAX_STEPS),
            ("ensemble", filled.ensemble, 1, MAX_ENSEMBLE),
            ("resolution", filled.resolution, 32, MAX_RESOLUTION),
            ("seed", filled.seed, 0, 2**32 - 1),
            ("tiling", filled.tiling, 0, MAX_TILING),
        ):
            if not lowest <= value <= highest:
                raise MarigoldError("bad_input", f"{name} is {value}: use a number from {lowest} to {highest}.")
        return filled

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> EstimateSettings:
        return cls(**data)


@dataclass(frozen=True)
class Recipe:
    """What a preset means; 0 steps = the model's own default.

    Attributes:
        longest_on_processor: the processing resolution is at most this where no graphics card computes; 0 = the
            model's own. Of a draft of 768 pixels most of the time is the VAE's, which grows with the pixels.
    """

    label: str
    description: str
    steps: int
    ensemble: int
    longest_on_processor: int = 0


PRESETS: dict[str, Recipe] = {
    "DRAFT": Recipe("Draft", "One denoising step, one prediction: for trying things out", 1, 1, 512),
    "BALANCED": Recipe("Balanced", "The model's own number of steps, one prediction", 0, 1),
    "BEST": Recipe("Best", "The model's own number of steps, ten predictions merged by their median", 0, 10),
}
