# SPDX-License-Identifier: GPL-3.0-or-later
"""The properties that `marigold.train` and its panel share, so that each is described once."""

from pathlib import Path

import bpy
from bpy.props import EnumProperty, FloatProperty, IntProperty, StringProperty

from ..marigold_blender.training.blend_request import BlendTraining
from . import config
from .properties import model_names


class TrainingProperties:
    """What a training is asked to be."""

    name: StringProperty(
        name="Name",
        description="Name of the trained model, and of the folder that keeps pictures and progress: training again"
        " under the same name goes on. Empty: the name of this file",
    )
    base: StringProperty(
        name="Base Model",
        description="Model to start from: a name, or the path of a Marigold or Stable Diffusion 2 folder",
        default="demo",
        search=model_names,
        search_options={"SUGGESTION"},
    )
    views: EnumProperty(
        name="Views",
        description="What the training pictures show",
        items=[
            ("FREE", "Free Places", "Cameras are flown to free places in this file that see something"),
            ("ANIMATION", "Animation", "The frames of this file's animation, through its own camera"),
        ],
        default="FREE",
    )
    pictures: IntProperty(
        name="Pictures", description="Number of pictures to render, at most", min=1, soft_max=2000, default=200
    )
    steps: IntProperty(
        name="Training Steps",
        description="Optimiser steps in all; raising it later lengthens the training",
        min=1,
        soft_max=20_000,
        default=1000,
    )
    resolution: IntProperty(
        name="Training Resolution",
        description="Longer edge of the training views, in pixels. 0: the base model's own",
        min=0,
        max=2048,
        subtype="PIXEL",
    )
    batch: IntProperty(
        name="Batch Size",
        description="Views that are in memory at a time: fewer need less memory",
        min=1,
        max=64,
        default=2,
    )
    accumulate: IntProperty(
        name="Batches per Step",
        description="Batches whose gradients make one step. Marigold was trained with 32 views a step",
        min=1,
        max=256,
        default=8,
    )
    learning_rate: FloatProperty(
        name="Learning Rate",
        description="How far one step goes: larger learns faster and forgets more of what the base model knows",
        min=1e-7,
        max=1e-2,
        default=3e-5,
        precision=6,
    )
    seed: IntProperty(
        name="Seed", description="Start of the random numbers: the same seed gives the same pictures", min=0, default=1
    )

    def training_folder(self) -> Path:
        """Where this training keeps its data, its progress and its result."""
        named = self.name or Path(bpy.data.filepath).stem or "untitled"
        return config.training_folder() / bpy.path.clean_name(named)

    def training_request(self) -> BlendTraining:
        return BlendTraining(
            blend="",
            base=self.base,
            folder=str(self.training_folder()),
            pictures=self.pictures,
            animation=self.views == "ANIMATION",
            steps=self.steps,
            resolution=self.resolution,
            batch=self.batch,
            accumulate=self.accumulate,
            learning_rate=self.learning_rate,
            seed=self.seed,
        )
