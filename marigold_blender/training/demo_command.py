# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages of `marigold train` that make the demo checkpoint, one by one and all together. Called by `command.py`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from .demo_plan import DemoPlan
from .reporters import losses, progress

AMOUNTS = {  # of a DemoPlan
    "scenes": "training scenes of each family",
    "small_scenes": "of each family, in small pictures",
    "tiny_scenes": "and in tiny ones",
    "sharp_scenes": "and in sharp ones, for tuning",
    "vae_steps": "optimiser steps of the VAE",
    "unet_steps": "of the U-Net",
    "tuning_steps": "of tuning it",
    "workers": "Blender processes",
}


def add_arguments(stages: argparse._SubParsersAction) -> None:
    """Add the stages as subcommands."""
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
        "--tune",
        default="",
        metavar="NAME",
        help="train this finished run's weights on, at a low rate that falls, with a second layer; later steps learn "
        "from what they estimate of the views before",
    )
    unet.add_argument("--noise-strength", type=float, default=0.9, help="multi-resolution noise; 0: plain noise")
    unet.add_argument("--multi-share", type=float, default=0.5, help="share of batches with multi-resolution noise")
    unet.add_argument("--terminal-share", type=float, default=0.7, help="share of views at the last timestep")
    unet.add_argument(
        "--inference-share",
        type=float,
        default=0.0,
        help="share of the others at the later timesteps of four steps (default: %(default)s)",
    )
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
    unet.add_argument(
        "--mirrored",
        type=float,
        default=0.0,
        help="train each view beside its mirrored twin (twice as many views a step); weight of their error against the "
        "mean of both estimates (default: none)",
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
    demo = stages.add_parser("demo", help="remake the demo checkpoint from nothing: every stage, each resumes")
    demo.add_argument("folder", type=Path, help="for data, runs and the result")
    for name, means in AMOUNTS.items():
        option, default = f"--{name.replace('_', '-')}", getattr(DemoPlan, name)
        demo.add_argument(option, type=int, default=default, help=f"{means} (default: %(default)s)")
    demo.set_defaults(run_stage=_demo)
    pack = stages.add_parser("pack", help="write a checkpoint folder from a run, finished or not")
    pack.add_argument("folder", type=Path, help="the checkpoint folder to write")
    pack.add_argument("--run", type=Path, required=True)
    pack.add_argument("--name", default="unet")
    pack.add_argument("--resolution", type=int, default=256, help="the checkpoint's default (default: %(default)s)")
    pack.set_defaults(run_stage=_pack)


# torch is imported inside the stages, so that rendering and help do not wait for it.


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
        inference_share=arguments.inference_share,
        own_share=arguments.own_share,
        second_share=arguments.second_share,
        robust=arguments.robust,
        aligned=arguments.aligned,
        mirrored=arguments.mirrored,
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
        progress("estimates"),
    )


def _far_end(arguments: argparse.Namespace) -> None:
    from .stages import run_far_end

    print(f"Depth is scaled by {run_far_end(arguments.run, arguments.name, arguments.resolution):.2f}")


def _demo(arguments: argparse.Namespace) -> None:
    from .demo_checkpoint import make_demo_checkpoint

    plan = DemoPlan(arguments.folder, **{name: getattr(arguments, name) for name in AMOUNTS})
    print(make_demo_checkpoint(plan, lambda line: print(line, flush=True)))


def _pack(arguments: argparse.Namespace) -> None:
    from .stages import run_pack

    run_pack(arguments.run, arguments.name, arguments.folder, arguments.resolution)


def _use_threads(count: int) -> None:
    import torch

    if count:
        torch.set_num_threads(count)
