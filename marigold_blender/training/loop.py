# SPDX-License-Identifier: GPL-3.0-or-later
"""The training loop of VAE and U-Net: accelerate, gradient accumulation, EMA, schedule, log, resuming after a kill.

Every random choice of a step comes from (seed, step, micro-batch, process), so a run that was killed and resumed takes
the very steps that an unbroken run takes.
"""

from __future__ import annotations

import copy
import csv
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState

from ..errors import MarigoldError
from ..estimation.devices import has_bfloat16
from .muon import Muon

Precision = Literal["auto", "no", "bf16", "fp16"]
Optimiser = Literal["adamw", "muon"]


@dataclass(frozen=True)
class LoopSettings:
    """How a network is trained, whatever it learns.

    Attributes:
        steps: optimiser steps in all; raising it later lengthens a run.
        learning_rate: peak, after `warmup` steps.
        schedule: "trapezoid" stays at the peak and falls to 2 % over the last `cooldown` share of the steps;
            "exponential" falls to 1 % at `decay_steps` (the official code's schedule).
        optimiser: "adamw" as in the paper, or "muon" (see muon.py), whose rate is about three times as high.
        until: end here for now, on the schedule of `steps` (0: at `steps`).
        accumulate: micro-batches a step.
        ema: decay of the averaged weights (0: none).
        dropout_ends: share of the steps over which the network's dropout falls to nothing (0: it stays as it is).
        save_every_s: seconds between checkpoints.
    """

    steps: int
    learning_rate: float
    warmup: int = 100
    optimiser: Optimiser = "adamw"
    schedule: Literal["trapezoid", "exponential"] = "trapezoid"
    cooldown: float = 0.2
    decay_steps: int = 25_000
    until: int = 0
    accumulate: int = 1
    ema: float = 0.999
    weight_decay: float = 0.01
    clip: float = 1.0
    dropout_ends: float = 0.0
    precision: Precision = "no"
    seed: int = 2024
    save_every_s: float = 300.0
    log_every: int = 20
    sample_every: int = 500


@dataclass(frozen=True)
class Turn:
    """Which part of the work a call of the loss is: seeds its random numbers."""

    seed: int
    step: int
    micro: int
    process: int
    device: torch.device

    def rng(self) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([self.seed, self.step, self.micro, self.process]))


Loss = Callable[[torch.nn.Module, Turn], torch.Tensor]


def train(
    network: torch.nn.Module,
    loss: Loss,
    settings: LoopSettings,
    folder: Path,
    report: Callable[[int, int, float], None],
    draw_sample: Callable[[torch.nn.Module, Path], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> torch.nn.Module:
    """Train `network`, going on from `folder` if a checkpoint is there.

    Args:
        loss: of one micro-batch; called with the network and the turn.
        folder: takes `state.pt` (and the one before it), `log.csv` and `samples/`.
        report: called with (step, steps, mean loss since the last call).
        draw_sample: writes a picture of what the averaged network does to the path given.
        stop: asked before every micro-batch; True saves the last whole step and ends early.

    Returns:
        The network with averaged weights.

    Raises:
        MarigoldError: the folder cannot be written, or its checkpoint is of another network.
    """
    AcceleratorState._reset_state()  # a worker may train twice; accelerate refuses another precision otherwise
    accelerator = Accelerator(mixed_precision=_mixed_precision(settings.precision))
    folder.mkdir(parents=True, exist_ok=True)
    average = copy.deepcopy(network).requires_grad_(False).eval()
    optimiser = _new_optimiser(network, settings)
    first = _resume(folder, network, average, optimiser)
    average.to(accelerator.device)
    network, optimiser = accelerator.prepare(network, optimiser)
    dropouts = [(module, module.p) for module in network.modules() if isinstance(module, torch.nn.Dropout)]
    losses: list[float] = []
    saved = time.monotonic()
    for step in range(first, settings.until or settings.steps):
        for module, rate in dropouts:
            module.p = rate * dropout_left(settings, step)
        value = _take_step(accelerator, network, optimiser, loss, settings, step, stop)
        plain = accelerator.unwrap_model(network)
        stopped = value is None  # within this step, which is taken anew when the run goes on
        done = step if stopped else step + 1
        ends = stopped or done == (settings.until or settings.steps)
        if value is not None:
            losses.append(value)
            _follow(average, plain, min(settings.ema, (1 + step) / (10 + step)))
        if accelerator.is_main_process:
            if losses and (done % settings.log_every == 0 or ends):
                mean = sum(losses) / len(losses)
                report(done, settings.steps, mean)
                row = {"step": done, "loss": mean, "rate": learning_rate(settings, step), "time": time.time()}
                _log(folder / "log.csv", row)
                losses.clear()
            if draw_sample and not stopped and (done % settings.sample_every == 0 or ends):
                (folder / "samples").mkdir(exist_ok=True)
                draw_sample(average, folder / f"samples/{done:07}.png")
            if time.monotonic() - saved > settings.save_every_s or ends:
                save_state(folder, plain, average, optimiser, done, settings)
                saved = time.monotonic()
        if ends:
            break
    accelerator.wait_for_everyone()
    return average


def _mixed_precision(asked: Precision) -> str:
    """What `accelerate` calls it; "auto" is bf16 where it is computed by the hardware."""
    if asked != "auto":
        return asked
    return "bf16" if has_bfloat16(PartialState().device) else "no"


def _new_optimiser(network: torch.nn.Module, settings: LoopSettings) -> torch.optim.Optimizer:
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimiser == "muon":
        return Muon(network.named_parameters(), rate, decay)
    return torch.optim.AdamW(network.parameters(), rate, betas=(0.9, 0.99), weight_decay=decay)


def _take_step(
    accelerator: Accelerator,
    network: torch.nn.Module,
    optimiser: Any,
    loss: Loss,
    settings: LoopSettings,
    step: int,
    stop: Callable[[], bool],
) -> float | None:
    """One optimiser step over all micro-batches; returns this process's mean loss, or None if it was stopped."""
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(settings, step)
    total = 0.0
    for micro in range(settings.accumulate):
        if stop():
            optimiser.zero_grad()
            return None
        turn = Turn(settings.seed, step, micro, accelerator.process_index, accelerator.device)
        torch.manual_seed(int(turn.rng().integers(2**62)))  # of dropout
        value = loss(network, turn) / settings.accumulate
        accelerator.backward(value)
        total += float(value.detach())
    if not math.isfinite(total):
        raise MarigoldError("internal", f"The loss is no longer a number at step {step}; the last checkpoint is whole.")
    accelerator.clip_grad_norm_(network.parameters(), settings.clip)
    optimiser.step()
    optimiser.zero_grad()
    return total


def learning_rate(settings: LoopSettings, step: int) -> float:
    """The rate of a step: warm-up, then the schedule."""
    rise = min(1.0, (step + 1) / max(settings.warmup, 1))
    if settings.schedule == "exponential":
        return settings.learning_rate * rise * 0.01 ** min(1.0, step / settings.decay_steps)
    left = (settings.steps - step) / max(settings.cooldown * settings.steps, 1)
    return settings.learning_rate * rise * min(1.0, max(left, 0.02))


def dropout_left(settings: LoopSettings, step: int) -> float:
    """The share of the network's dropout that a step has."""
    if not settings.dropout_ends:
        return 1.0
    return max(0.0, 1 - step / (settings.dropout_ends * settings.steps))


def save_state(
    folder: Path, network: torch.nn.Module, average: torch.nn.Module, optimiser: Any, step: int, settings: LoopSettings
) -> None:
    """Write `state.pt` beside and rename it; the checkpoint before stays as `state_before.pt`."""
    state = {
        "step": step,
        "network": network.state_dict(),
        "average": average.state_dict(),
        "optimiser": optimiser.state_dict(),
        "settings": asdict(settings),
    }
    beside = folder / "state.writing"
    try:
        with beside.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        if (folder / "state.pt").exists():
            os.replace(folder / "state.pt", folder / "state_before.pt")
        os.replace(beside, folder / "state.pt")
    except (OSError, RuntimeError) as error:
        beside.unlink(missing_ok=True)
        raise MarigoldError(
            "cannot_write",
            f"The checkpoint could not be written to {folder}; the one before it is whole.",
            details=str(error),
        ) from error


def _resume(folder: Path, network: torch.nn.Module, average: torch.nn.Module, optimiser: Any) -> int:
    """Load the newest whole checkpoint; returns the step to go on with."""
    for path in (folder / "state.pt", folder / "state_before.pt"):
        if not path.exists():
            continue
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            network.load_state_dict(state["network"])
            average.load_state_dict(state["average"])
            optimiser.load_state_dict(state["optimiser"])
        except (RuntimeError, ValueError, KeyError, EOFError) as error:
            if path.name == "state.pt" and (folder / "state_before.pt").exists():
                continue
            raise MarigoldError(
                "bad_input",
                f"The checkpoint {path} is damaged or of another network; move it away to start anew.",
                details=str(error),
            ) from error
        return int(state["step"])
    return 0


def _follow(average: torch.nn.Module, network: torch.nn.Module, decay: float) -> None:
    with torch.no_grad():
        for mean, value in zip(average.parameters(), network.parameters(), strict=True):
            mean.lerp_(value.to(mean.dtype), 1 - decay)
        for held, now in zip(average.buffers(), network.buffers(), strict=True):
            held.copy_(now)


def _log(path: Path, row: dict[str, Any]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        writer.writerow(row)
