# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold evaluate DATASET`: called by the command line."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ..settings import EstimateSettings

SHOWN = (
    "abs_rel",
    "rmse",
    "delta1",
    "delta2",
    "delta3",
    "range_error",
    "boundary_f1",
    "sky_far",
    "near_end",
    "far_end",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=Path, help="folder with rgb/NAME.png|jpg and depth/NAME.exr|npy")
    parser.add_argument("--model", default="demo", help="catalogue name or folder (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=0, help="denoising steps (default: the model's own)")
    parser.add_argument("--ensemble", type=int, default=1, help="ensemble size (default: %(default)s)")
    parser.add_argument("--resolution", type=int, default=0, help="processing resolution (default: the model's own)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", action="store_true", help="print one JSON object with a row for each picture")
    parser.add_argument("--threads", type=int, default=0, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate and print; returns the exit code. MarigoldError tells what is wrong."""
    import torch

    from ..models.find import find_model
    from .data_sets import open_data_set
    from .evaluate import evaluate_model

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    settings = EstimateSettings(
        model=arguments.model,
        steps=arguments.steps,
        ensemble=arguments.ensemble,
        resolution=arguments.resolution,
        seed=arguments.seed,
    )
    samples = open_data_set(arguments.data)
    result = evaluate_model(samples, find_model(arguments.model), settings, _progress, arguments.device)
    print(json.dumps(result, indent=1) if arguments.json else _table(result))
    return 0


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {total}", end="\n" if done == total else "", file=sys.stderr, flush=True)


def _table(result: dict[str, Any]) -> str:
    """Metrics in columns: the model, then the two baselines on the same pictures."""
    columns = {"": result, "constant": result["baselines"]["constant"], "ramp": result["baselines"]["ramp"]}
    lines = [f"{result['images']} pictures, {result['steps']} steps, ensemble {result['ensemble']}"]
    lines.append(" " * 14 + "".join(f"{name or 'model':>10}" for name in columns))
    for metric in SHOWN:
        values = [each.get(metric) for each in columns.values()]
        lines.append(f"{metric:<14}" + "".join(f"{'-' if value is None else f'{value:.3f}':>10}" for value in values))
    return "\n".join(lines)
