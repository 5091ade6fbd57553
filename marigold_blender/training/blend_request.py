# SPDX-License-Identifier: GPL-3.0-or-later
"""What a training on the user's .blend is asked to be, and how far one is that is on disk. Standard library only.

Made by Blender's operator or a script, sent to the worker, carried out by `blend_training`.
"""

from __future__ import annotations

import csv
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class BlendTraining:
    """What to train on what.

    Attributes:
        blend: a saved copy of the file.
        blender: the program to render it with; empty: the bpy module of `python` (empty: of this Python).
        base: folder of the model to start from.
        folder: takes the data set, the run and the result; asking again with the same folder goes on.
        pictures: how many to render, at most.
        animation: of the file's own camera in the frames of its animation, instead of from free places.
        steps: optimiser steps in all.
        resolution: longer edge of the training views; 0: the base's own.
    """

    blend: str
    base: str
    folder: str
    blender: str = ""
    python: str = ""
    pictures: int = 200
    animation: bool = False
    steps: int = 1000
    resolution: int = 0
    batch: int = 2
    accumulate: int = 8
    learning_rate: float = 3e-5
    seed: int = 1

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> BlendTraining:
        return cls(**data)


@dataclass(frozen=True)
class TrainingState:
    """How far a training folder is.

    Attributes:
        pictures: rendered so far.
        steps: optimiser steps taken; after a kill, those of the last five minutes are taken again.
        model: folder of the model trained so far; None before there is one.
    """

    pictures: int
    steps: int
    model: Path | None


def training_state(folder: Path) -> TrainingState:
    """Look into a training folder; zeros where there is none."""
    meta, log, model = folder / "data" / "meta", folder / "run" / "log.csv", folder / "run" / "checkpoint"
    pictures = sum(1 for _ in meta.glob("*.json")) if meta.is_dir() else 0
    steps = 0
    if log.is_file():
        with log.open(newline="") as file:
            last = deque(csv.DictReader(file), maxlen=1)
        steps = int(last[0]["step"]) if last else 0
    return TrainingState(pictures, steps, model if (model / "model_index.json").is_file() else None)


def trained_models(folder: Path) -> dict[str, Path]:
    """The models trained in the sub-folders of a folder, by their names."""
    found = sorted(folder.glob("*/run/checkpoint/model_index.json")) if folder.is_dir() else []
    return {path.parents[2].name: path.parent for path in found}
