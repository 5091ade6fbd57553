# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold train …`: renders data sets and trains on them. Called by the command line; also `python -m …training`."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from ..models.local_models import register_local_model
from . import demo_command
from .render import FAMILY_NAMES, HELD_OUT, RenderPlan, render_data_set
from .reporters import losses, progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stages of training as subcommands."""
    parser.set_defaults(json=False)
    stages = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")
    _add_render(stages.add_parser("render", help="make a data set of scenes that Blender renders"))
    _add_finetune(stages.add_parser("finetune", help="train a Stable Diffusion 2 or Marigold folder on your data"))
    demo_command.add_arguments(stages)


def run(arguments: argparse.Namespace) -> int:
    """Run the stage chosen; returns the exit code. MarigoldError tells what is wrong."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a stopped run ends its Blender processes
    arguments.run_stage(arguments)
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
    parser.add_argument("--moving", type=int, default=0, metavar="N", help="make each view a clip of N frames")
    parser.add_argument(
        "--lens", type=float, nargs=2, default=RenderPlan.lens_mm, help="focal lengths for --blend, in mm"
    )
    parser.add_argument("--blend", type=Path, help="render this .blend from free places instead of the families")
    parser.add_argument("--animation", action="store_true", help="render the frames of --blend instead")
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
        moving=arguments.moving,
        blend=arguments.blend,
        animation=arguments.animation,
        lens_mm=tuple(arguments.lens),
    )
    pictures = render_data_set(plan, progress("scenes"), arguments.blender)
    print(f"{pictures} pictures in {arguments.folder}")


def _add_finetune(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("base", type=Path, help="folder in diffusers format")
    parser.add_argument("data", type=Path, nargs="+", help="scene data sets, Hypersim or Virtual KITTI 2 folders")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run; the result is its checkpoint/")
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=2, help="views in a micro-batch (default: %(default)s)")
    parser.add_argument("--accumulate", type=int, default=16, help="micro-batches a step (default: %(default)s)")
    parser.add_argument("--learning-rate", type=float, default=3e-5)
    parser.add_argument("--resolution", type=int, default=0, help="longer edge in pixels (default: the base's own)")
    parser.add_argument("--objective", choices=("diffusion", "end-to-end"), default="diffusion")
    parser.add_argument(
        "--sky", choices=("invalid", "far"), default="invalid", help="leave the sky out, or supervise it"
    )
    parser.add_argument("--precision", choices=("no", "bf16", "fp16"), default="no")
    parser.set_defaults(run_stage=_finetune)


def _finetune(arguments: argparse.Namespace) -> None:  # torch is imported here, so that rendering does not wait for it
    from .data_sets import open_data_set
    from .finetune import FineTune, fine_tune
    from .loop import LoopSettings

    plan = FineTune(
        arguments.base, arguments.run, arguments.objective, arguments.resolution, arguments.batch, arguments.sky
    )
    settings = LoopSettings(
        steps=arguments.steps,
        learning_rate=arguments.learning_rate,
        schedule="exponential",
        accumulate=arguments.accumulate,
        precision=arguments.precision,
        weight_decay=0.0,
    )
    samples = [sample for folder in arguments.data for sample in open_data_set(folder)]
    folder = fine_tune(plan, samples, settings, losses())
    print(f"{folder}, in the list of models as {register_local_model(folder).name}")
