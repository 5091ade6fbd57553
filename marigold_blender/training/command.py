# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold train …`: renders data sets and trains on them. Called by the command line; also `python -m …training`."""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import replace
from pathlib import Path

from ..models.local_models import register_local_model
from .render import FAMILY_NAMES, HELD_OUT, RenderPlan, render_data_set
from .reporters import losses, progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stages of training as subcommands."""
    parser.set_defaults(json=False)
    stages = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")
    _add_render(stages.add_parser("render", help="make a data set of scenes that Blender renders"))
    _add_training(stages)


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


def _add_training(stages: argparse._SubParsersAction) -> None:
    vae = stages.add_parser("vae", help="train the demo's VAE from nothing")
    vae.add_argument("data", type=Path, help="a scene data set")
    vae.set_defaults(run_stage=_vae, steps=2000)
    decoder = stages.add_parser("decoder", help="teach the VAE's decoder to read latents with noise, at the very end")
    decoder.add_argument("data", type=Path, help="a scene data set")
    decoder.set_defaults(run_stage=_decoder, steps=600)
    encode = stages.add_parser("encode", help="encode training views with the VAE, once")
    encode.add_argument("data", type=Path, help="a scene data set; pictures added later are encoded by running again")
    encode.add_argument(
        "--variants",
        type=int,
        default=4,
        help="views of each picture: the whole, a crop, a tilted one, a crop, and so on (default: %(default)s)",
    )
    encode.add_argument(
        "--enlarge",
        type=int,
        choices=(1, 2, 4),
        default=1,
        help="encode at --resolution over this, enlarge the latents: small pictures",
    )
    encode.set_defaults(run_stage=_encode)
    unet = stages.add_parser("unet", help="train the demo's U-Net on what was encoded")
    unet.add_argument("--batch", type=int, default=16, help="views a step (default: %(default)s)")
    unet.add_argument("--until", type=int, default=0, help="end at this step for now, on the schedule of --steps")
    unet.add_argument("--name", default="unet", help="of this run within the folder (default: %(default)s)")
    start = unet.add_mutually_exclusive_group()
    start.add_argument(
        "--grow", default="", metavar="NAME", help="start from this finished run on half the resolution, a level added"
    )
    start.add_argument(
        "--tune", default="", metavar="NAME", help="train this finished run's weights on, at a low rate that falls"
    )
    unet.add_argument("--noise-strength", type=float, default=0.9, help="multi-resolution noise; 0: plain noise")
    unet.add_argument("--multi-share", type=float, default=0.5, help="share of batches with multi-resolution noise")
    unet.add_argument("--terminal-share", type=float, default=0.7, help="share of views at the last timestep")
    unet.add_argument(
        "--own-share", type=float, default=0.8, help="share of the others that start from the network's own estimate"
    )
    unet.add_argument(
        "--second-share", type=float, default=0.0, help="share of those that start from its second estimate"
    )
    unet.add_argument(
        "--robust", type=float, default=0.2, help="errors above this count by their length, not their square (0: none)"
    )
    unet.add_argument(
        "--aligned", type=float, default=0.0, help="weight of the error that evaluation measures (default: none)"
    )
    unet.set_defaults(run_stage=_unet, steps=14_000)
    for parser in (encode, unet):
        parser.add_argument(
            "--resolution", type=int, default=256, help="longer edge of the views (default: %(default)s)"
        )
    for parser in (vae, unet, decoder):
        parser.add_argument("--steps", type=int, help="optimiser steps in all; more than before lengthens a run")
    for parser in (vae, encode, unet, decoder):
        parser.add_argument("--run", type=Path, required=True, help="folder of the run; what is there goes on")
        parser.add_argument("--threads", type=int, default=0, help="processor threads (default: torch's choice)")
    far_end = stages.add_parser("far-end", help="scale the decoder's depth as far as a finished U-Net's sky needs it")
    far_end.add_argument("--run", type=Path, required=True)
    far_end.add_argument("--name", default="unet", help="of the U-Net's run (default: %(default)s)")
    far_end.add_argument("--resolution", type=int, default=256, help="longer edge of the views (default: %(default)s)")
    far_end.set_defaults(run_stage=_far_end)
    tune = stages.add_parser("finetune", help="train a Stable Diffusion 2 or Marigold folder on your data")
    tune.add_argument("base", type=Path, help="folder in diffusers format")
    tune.add_argument("data", type=Path, nargs="+", help="scene data sets, Hypersim or Virtual KITTI 2 folders")
    tune.add_argument("--run", type=Path, required=True, help="folder of the run; the result is its checkpoint/")
    tune.add_argument("--steps", type=int, default=20_000)
    tune.add_argument("--batch", type=int, default=2, help="views in a micro-batch (default: %(default)s)")
    tune.add_argument("--accumulate", type=int, default=16, help="micro-batches a step (default: %(default)s)")
    tune.add_argument("--learning-rate", type=float, default=3e-5)
    tune.add_argument("--resolution", type=int, default=0, help="longer edge in pixels (default: the base's own)")
    tune.add_argument("--objective", choices=("diffusion", "end-to-end"), default="diffusion")
    tune.add_argument("--sky", choices=("invalid", "far"), default="invalid", help="leave the sky out, or supervise it")
    tune.add_argument("--precision", choices=("no", "bf16", "fp16"), default="no")
    tune.set_defaults(run_stage=_finetune)
    demo = stages.add_parser("demo", help="remake the demo checkpoint from nothing: every stage, each resumes")
    demo.add_argument("folder", type=Path, help="for data, runs and the result")
    demo.add_argument("--scenes", type=int, default=500, help="training scenes of each family (default: %(default)s)")
    demo.add_argument(
        "--small-scenes", type=int, default=900, help="of each family, in small pictures (default: %(default)s)"
    )
    demo.add_argument("--tiny-scenes", type=int, default=3200, help="and in tiny ones (default: %(default)s)")
    demo.add_argument(
        "--sharp-scenes", type=int, default=2300, help="and in sharp ones, for tuning (default: %(default)s)"
    )
    demo.add_argument("--vae-steps", type=int, default=2000)
    demo.add_argument("--unet-steps", type=int, default=16_000)
    demo.add_argument("--tuning-steps", type=int, default=6000)
    demo.add_argument("--workers", type=int, default=2, help="Blender processes (default: %(default)s)")
    demo.set_defaults(run_stage=_demo)
    pack = stages.add_parser("pack", help="write a checkpoint folder from a run, finished or not")
    pack.add_argument("folder", type=Path, help="the checkpoint folder to write")
    pack.add_argument("--run", type=Path, required=True)
    pack.add_argument("--name", default="unet")
    pack.add_argument("--resolution", type=int, default=256, help="the checkpoint's default (default: %(default)s)")
    pack.set_defaults(run_stage=_pack)


# torch is imported inside the stages that need it, so that rendering does not wait for it.


def _vae(arguments: argparse.Namespace) -> None:
    from .stages import run_vae

    _use_threads(arguments.threads)
    run_vae(arguments.data, arguments.run, arguments.steps, losses())


def _decoder(arguments: argparse.Namespace) -> None:
    from .stages import run_decoder

    _use_threads(arguments.threads)
    run_decoder(arguments.data, arguments.run, arguments.steps, losses())


def _encode(arguments: argparse.Namespace) -> None:
    from .stages import run_encode

    _use_threads(arguments.threads)
    views = run_encode(
        arguments.data, arguments.run, arguments.variants, progress("views"), arguments.resolution, arguments.enlarge
    )
    print(f"{views} views in {arguments.run}")


def _unet(arguments: argparse.Namespace) -> None:
    from .diffusion import FROM_NOTHING
    from .stages import run_unet

    _use_threads(arguments.threads)
    objective = replace(
        FROM_NOTHING,
        noise_strength=arguments.noise_strength,
        multi_share=arguments.multi_share,
        terminal_share=arguments.terminal_share,
        own_share=arguments.own_share,
        second_share=arguments.second_share,
        robust=arguments.robust,
        aligned=arguments.aligned,
    )
    run_unet(
        arguments.run,
        arguments.steps,
        arguments.batch,
        losses(),
        objective,
        arguments.name,
        arguments.resolution,
        arguments.until,
        arguments.grow,
        arguments.tune,
    )


def _far_end(arguments: argparse.Namespace) -> None:
    from .stages import run_far_end

    print(f"Depth is scaled by {run_far_end(arguments.run, arguments.name, arguments.resolution):.2f}")


def _finetune(arguments: argparse.Namespace) -> None:
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


def _demo(arguments: argparse.Namespace) -> None:
    from .demo_checkpoint import DemoPlan, make_demo_checkpoint

    plan = DemoPlan(
        arguments.folder,
        scenes=arguments.scenes,
        small_scenes=arguments.small_scenes,
        tiny_scenes=arguments.tiny_scenes,
        sharp_scenes=arguments.sharp_scenes,
        vae_steps=arguments.vae_steps,
        unet_steps=arguments.unet_steps,
        tuning_steps=arguments.tuning_steps,
        workers=arguments.workers,
    )
    print(make_demo_checkpoint(plan, lambda line: print(line, flush=True)))


def _pack(arguments: argparse.Namespace) -> None:
    from .stages import run_pack

    run_pack(arguments.run, arguments.name, arguments.folder, arguments.resolution)


def _use_threads(count: int) -> None:
    import torch

    if count:
        torch.set_num_threads(count)
