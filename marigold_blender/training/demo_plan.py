# SPDX-License-Identifier: GPL-3.0-or-later
"""How much goes into the demo checkpoint: what `demo_command.py` asks for and `demo_checkpoint.py` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DemoPlan:
    """How much of everything goes into a demo checkpoint.

    Attributes:
        folder: data in `data/`, networks in `runs/`; both go on where they were stopped.
        scenes: training scenes of each family (four pictures each).
        small_scenes, tiny_scenes: more of them in small pictures (three each) and in tiny ones (two each).
        sharp_scenes: and in pictures of the checkpoint's own size (two each), for the stage that tunes it.
        tests: pictures of each family of the two test sets.
    """

    folder: Path
    scenes: int = 500
    small_scenes: int = 900
    tiny_scenes: int = 3200
    sharp_scenes: int = 2900
    tests: int = 20
    held_out_tests: int = 110
    vae_steps: int = 2000
    unet_steps: int = 16_000
    tuning_steps: int = 13_000
    decoder_steps: int = 500
    workers: int = 2
