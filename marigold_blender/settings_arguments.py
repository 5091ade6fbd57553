# SPDX-License-Identifier: GPL-3.0-or-later
"""The estimate's settings as options of a command line: of `marigold estimate` and of `blender --command marigold`."""

from __future__ import annotations

import argparse
from dataclasses import fields

from .settings import MAX_TILING, PRESETS, EstimateSettings


def add_settings_arguments(parser: argparse.ArgumentParser) -> None:
    """One option for each field of `EstimateSettings`."""
    default = EstimateSettings()
    parser.add_argument(
        "--model", default=default.model, help="name of a model, or the path of its folder (%(default)s)"
    )
    parser.add_argument("--preset", type=str.upper, choices=list(PRESETS), default=default.preset, help="%(default)s")
    parser.add_argument("--steps", type=int, default=0, help="denoising steps (0: as the preset says)")
    parser.add_argument("--ensemble", type=int, default=0, help="ensemble size (0: as the preset says)")
    parser.add_argument(
        "--resolution", type=int, default=0, help="processing resolution in pixels (0: the model's own)"
    )
    parser.add_argument(
        "--tiles",
        dest="tiling",
        type=int,
        nargs="?",
        default=0,
        const=MAX_TILING,
        metavar="DOUBLINGS",
        help="refine by tiles: how many times they double the resolution (alone: up to the photo's own; 0: no tiles)",
    )
    parser.add_argument("--seed", type=int, default=0, help="start of the random numbers (0)")


def settings_of(options: argparse.Namespace) -> EstimateSettings:
    """The settings that were given."""
    return EstimateSettings(**{field.name: getattr(options, field.name) for field in fields(EstimateSettings)})
