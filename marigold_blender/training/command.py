# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold train …`: renders data sets and trains on them. Called by the command line; also `python -m …training`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ..errors import MarigoldError
from .render import FAMILY_NAMES, HELD_OUT, RenderPlan, render_data_set


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stages of training as subcommands."""
    stages = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")
    _add_render(stages.add_parser("render", help="make a data set of scenes that Blender renders"))
    _add_vae(stages.add_parser("vae", help="train the demo's VAE from nothing"))


def run(arguments: argparse.Namespace) -> int:
    """Run the stage chosen; returns the exit code."""
    try:
        arguments.run_stage(arguments)
    except MarigoldError as error:
        print(error.message, file=sys.stderr)
        return 1
    return 0


def _add_render(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="the data set's folder; what is there already is kept")
    parser.add_argument(
        "--families",
        type=lambda text: tuple(text.split(",")),
        default=RenderPlan.families,
        help=f"of {','.join(FAMILY_NAMES)}; default: all but {HELD_OUT}, which measures what was not trained on",
    )
    parser.add_argument(
        "--count", type=int, default=RenderPlan.count, help="scenes of each family (default: %(default)s)"
    )
    parser.add_argument(
        "--views", type=int, default=RenderPlan.views, help="pictures of each scene (default: %(default)s)"
    )
    parser.add_argument(
        "--size", type=int, default=RenderPlan.size, help="longer edge in pixels (default: %(default)s)"
    )
    parser.add_argument("--samples", type=int, default=RenderPlan.samples, help="Cycles samples (default: %(default)s)")
    parser.add_argument(
        "--far",
        type=float,
        default=RenderPlan.far_m,
        help="metres beyond which depth counts as sky (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=RenderPlan.seed, help="decides every scene (default: %(default)s)")
    parser.add_argument(
        "--workers", type=int, default=RenderPlan.workers, help="Blender processes (default: %(default)s)"
    )
    parser.add_argument("--first", type=int, default=0, help="number of the first scene (default: 0)")
    parser.add_argument("--blender", type=Path, help="render with this Blender instead of the bpy module")
    parser.set_defaults(run_stage=_render)


def _render(arguments: argparse.Namespace) -> None:
    plan = RenderPlan(
        folder=arguments.folder,
        families=arguments.families,
        count=arguments.count,
        views=arguments.views,
        size=arguments.size,
        samples=arguments.samples,
        far_m=arguments.far,
        seed=arguments.seed,
        workers=arguments.workers,
        first=arguments.first,
    )
    pictures = render_data_set(plan, _progress("scenes"), arguments.blender)
    print(f"{pictures} pictures in {arguments.folder}")


def _add_vae(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=Path, help="a scene data set")
    parser.add_argument("folder", type=Path, help="the run's folder; a run that is there goes on")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--threads", type=int, default=0, help="processor threads (default: torch's)")
    parser.set_defaults(run_stage=_vae)


def _vae(arguments: argparse.Namespace) -> None:
    import torch  # here, so that rendering does not wait for it

    from .dataset import list_scene_data_set
    from .loop import LoopSettings
    from .vae import train_vae

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    settings = LoopSettings(steps=arguments.steps, learning_rate=1.5e-3, ema=0.998, precision="bf16")
    train_vae(list_scene_data_set(arguments.data), settings, arguments.folder, _losses())


def _losses() -> Callable[[int, int, float], None]:
    """A reporter that prints each logged loss."""
    started, first = time.monotonic(), -1

    def report(step: int, steps: int, loss: float) -> None:
        nonlocal first
        first = step if first < 0 else first
        rate = (step - first) / (time.monotonic() - started)
        left = f", {(steps - step) / rate / 60:.0f} min left" if rate else ""
        print(f"step {step} of {steps}: loss {loss:.4f}{left}", flush=True)

    return report


def _progress(unit: str, every_s: float = 30.0) -> Callable[[int, int], None]:
    """A reporter that prints now and then, with the time left."""
    started = time.monotonic()
    last, first = -every_s, -1

    def report(done: int, total: int) -> None:
        nonlocal last, first
        now = time.monotonic() - started
        first = done if first < 0 else first
        if now - last >= every_s:
            last = now
            rate = (done - first) / now if now else 0.0
            left = f", {(total - done) / rate / 60:.0f} min left" if rate else ""
            print(f"{done} of {total} {unit}{left}", flush=True)

    return report
