# SPDX-License-Identifier: GPL-3.0-or-later
"""The models that can be named in settings. Used by panels, the command line and the worker.

Models that were registered (`local_models`) can be named too, and any other folder in diffusers format by its path.
Sizes and hashes are those that the hub announces for the pinned revisions, as far as they are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
DEFAULT_MODEL = "marigold-depth-v1-1"


@dataclass(frozen=True)
class Model:
    """One entry.

    Attributes:
        name: what settings call it.
        label, description: for people.
        licence: a name in `licences.LICENCES`, or what a local model's folder says.
        hub_id: repository on the hub; empty for a model that is not fetched.
        revision: the commit to fetch; empty: whatever is newest at the first download, which is then recorded.
        bytes: size of the download, about, for the time before the hub has been asked.
        scheduler: how it denoises, for people; steps, ensemble, resolution: what it was made for.
        zero_noise: starts from zeros in a single step (fine-tuned end to end, Martin Garcia et al. 2024).
        sha256: hashes of files by their path, where they are known: another content is refused.
        borrowed: parts (`vae`, …) whose weights this repository has only as pickles, and the model that has the very
            same ones as safetensors.
        folder: where a model lies that is not fetched.
    """

    name: str
    label: str
    description: str
    licence: str
    hub_id: str = ""
    revision: str = ""
    bytes: int = 0
    scheduler: str = ""
    steps: int = 0
    ensemble: int = 1
    resolution: int = 768
    zero_noise: bool = False
    task: str = "depth"
    sha256: Mapping[str, str] = field(default_factory=dict)
    borrowed: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None


# Stable Diffusion 2's VAE and text encoder in half precision: Marigold trains neither, so its models share them.
VAE_SHA256 = {
    "vae/diffusion_pytorch_model.fp16.safetensors": "3e4c08995484ee61270175e9e7a072b66a6e4eeb5f0c266667fe1f45b90daf9a"
}
TEXT_ENCODER_SHA256 = {
    "text_encoder/model.fp16.safetensors": "bc1827c465450322616f06dea41596eac7d493f4e95904dcb51f0fc745c4e13f"
}
UNET = "unet/diffusion_pytorch_model.fp16.safetensors"
HALF_PRECISION_BYTES = 1_731_927_776 + 167_335_342 + 680_820_392 + 1_590_000  # U-Net, VAE, text encoder, small files
FULL_PRECISION_BYTES = 3_463_726_000 + 334_643_000 + 1_361_597_000 + 1_590_000

CATALOGUE: dict[str, Model] = {
    model.name: model
    for model in (
        Model(
            "demo",
            "Demo",
            "A small checkpoint that ships with the extension: coarse depth within seconds, offline",
            "CC0-1.0",
            scheduler="DDIM, trailing, zero terminal SNR",
            steps=4,
            resolution=160,
            folder=HERE / "demo",
        ),
        Model(
            "marigold-depth-v1-1",
            "Marigold 1.1",
            "The published model: fine detail, works from one step on. Best with 4 steps and an ensemble",
            "OpenRAIL++-M",
            hub_id="prs-eth/marigold-depth-v1-1",
            revision="9571e7123e258cf052b4e54241f17971c290e9a8",
            bytes=HALF_PRECISION_BYTES,
            scheduler="DDIM, trailing, zero terminal SNR",
            steps=4,
        ),
        Model(
            "marigold-depth-v1-0",
            "Marigold 1.0",
            "The first model, of the CVPR 2024 paper: wants 10 steps or more",
            "Apache-2.0",
            hub_id="prs-eth/marigold-depth-v1-0",
            revision="f4fc453d7d217cbe30ddcad3eb311d1ad9a11c4c",
            bytes=HALF_PRECISION_BYTES,
            scheduler="DDIM, leading (a single step: trailing)",
            steps=10,
            sha256={
                UNET: "da9c13e214461c2cf82e4a0f125d914976522e53806a54d508e30ea5b8cd67f2",
                **VAE_SHA256,
                **TEXT_ENCODER_SHA256,
            },
        ),
        Model(
            "marigold-depth-lcm-v1-0",
            "Marigold 1.0 LCM",
            "Distilled from 1.0 for one to four steps",
            "Apache-2.0",
            hub_id="prs-eth/marigold-depth-lcm-v1-0",
            revision="04a73502f7fd8fc5e59947b9df3b2266d71d6849",
            bytes=HALF_PRECISION_BYTES,
            scheduler="LCM",
            steps=1,
            sha256={
                UNET: "953f1ea06169fc6c358b09ecc96a6ee32515e81540442d16239f82348ea62614",
                **TEXT_ENCODER_SHA256,
            },
            borrowed={"vae": "marigold-depth-v1-0"},
        ),
        Model(
            "marigold-e2e-ft-depth",
            "Marigold E2E-FT",
            "1.0 fine-tuned end to end (RWTH Aachen): the most accurate for its time. One step, no ensemble",
            "Apache-2.0",
            hub_id="GonzaloMG/marigold-e2e-ft-depth",
            bytes=FULL_PRECISION_BYTES,
            scheduler="DDIM, trailing, from zeros",
            steps=1,
            zero_noise=True,
        ),
    )
}
