# SPDX-License-Identifier: GPL-3.0-or-later
"""The measures: which pictures, which settings, and what is compared with what. Called by `command`.

The two sides take turns, and medians count, because machines are busy with other things too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from ..settings import MAX_TILING, EstimateSettings
from .pictures import draw_pan, draw_picture
from .side_process import SideProcess

PHOTO_SIZE = (1024, 768)
MEMBERS, MEMBER_SIZE = 10, (768, 576)
TILED_SIZE = (1024, 768)  # the stock pass takes minutes at 2048: its attention grows with the fourth power
CLIP_FRAMES, CLIP_SIZE = 12, (640, 360)
DEFAULT, DRAFT = EstimateSettings(), EstimateSettings(preset="DRAFT")
TILED = EstimateSettings(tiling=MAX_TILING)
FIRST = EstimateSettings(steps=1, resolution=64)  # what is done once after loading is no part of a warm time

Run = dict[str, float]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Bench:
    """Where to measure.

    Attributes:
        scratch: an empty folder for pictures and results; the caller deletes it.
        repeats: how often each side is measured.
        say: told what is being measured.
    """

    scratch: Path
    repeats: int
    say: Say

    def picture(self, seed: int, size: tuple[int, int] = PHOTO_SIZE) -> str:
        """A picture's file."""
        path = self.scratch / f"picture_{seed}_{size[0]}.npy"
        if not path.exists():
            np.save(path, draw_picture(seed, *size))
        return str(path)

    def side(self, kind: Any, model: Path, cache: str = "cache") -> SideProcess:
        return SideProcess(kind, model, self.scratch / cache)


def measure_networks(bench: Bench, model: Path, names: Sequence[str]) -> dict[str, Any]:
    """`warm`, `cold` and `draft`, as far as asked for, with one model."""
    found: dict[str, Any] = {}
    if "warm" in names or "draft" in names:
        found |= _warm_and_draft(bench, model, names)
    if "cold" in names:
        found["cold"] = _cold(bench, model)
    return found


def _warm_and_draft(bench: Bench, model: Path, names: Sequence[str]) -> dict[str, Any]:
    """A new picture with loaded weights; a draft is compared with the same stock runs."""
    warm: list[Run] = []
    draft: list[Run] = []
    stock: list[Run] = []
    differences = []
    results = [str(bench.scratch / f"{name}.npy") for name in ("ours", "stock")]
    with bench.side("stock", model) as theirs, bench.side("ours", model) as ours:
        for side in (theirs, ours):
            side.ask("estimate", picture=bench.picture(0), settings=FIRST.to_json(), result=results[0])
        for number in range(1, bench.repeats + 1):
            bench.say(f"warm, {number} of {bench.repeats}")
            asked: dict[str, Any] = {"picture": bench.picture(number), "settings": DEFAULT.to_json()}
            stock.append(theirs.ask("estimate", **asked, result=results[1]))
            if "warm" in names:
                warm.append(ours.ask("estimate", **asked, result=results[0]))
                differences.append(_difference(*(np.load(path) for path in results)))
            if "draft" in names:
                # Of another picture: the latent of the last one is kept.
                other: dict[str, Any] = {"picture": bench.picture(1000 + number), "settings": DRAFT.to_json()}
                draft.append(ours.ask("estimate", **other, result=results[0]))
    found = {}
    if warm:
        found["warm"] = {**_beside(warm, stock), "difference": round(median(differences), 6)}
    if draft:
        found["draft"] = _beside(draft, stock)
    return found


def _cold(bench: Bench, model: Path) -> dict[str, Any]:
    """From the start of a process to the depth of its first picture; ours runs the text encoder each time."""
    runs: dict[str, list[Run]] = {"stock": [], "ours": []}
    asked = {"picture": bench.picture(1), "settings": DEFAULT.to_json(), "result": str(bench.scratch / "cold.npy")}
    for number in range(bench.repeats):
        for kind, done in runs.items():
            bench.say(f"cold, {number + 1} of {bench.repeats}: {kind}")
            with bench.side(kind, model, cache=f"cache_{number}_{kind}") as side:
                done.append(side.ask("estimate", whole_life=True, **asked))
    return _beside(runs["ours"], runs["stock"])


def measure_ensemble(bench: Bench, demo: Path) -> dict[str, Any]:
    """Aligning and merging ten predictions of the demo checkpoint."""
    members, results = [], str(bench.scratch / "member.npy")
    path = str(bench.scratch / "members.npy")
    with bench.side("ours", demo) as ours, bench.side("stock", demo) as theirs:
        bench.say("ensemble: its members")
        for seed in range(MEMBERS):
            settings = EstimateSettings(steps=2, seed=seed).to_json()
            ours.ask("estimate", picture=bench.picture(1, MEMBER_SIZE), settings=settings, result=results)
            members.append(np.load(results))
        np.save(path, np.stack(members))
        return _in_turns(bench, "ensemble", ours, theirs, "merge", lambda _side, _number: {"members": path})


def measure_tiles(bench: Bench, demo: Path) -> dict[str, Any]:
    """Tiles of the demo checkpoint, beside one stock pass whose processing resolution is the picture's own."""

    def arguments(side: str, number: int) -> dict[str, Any]:
        settings = TILED if side == "ours" else EstimateSettings(resolution=max(TILED_SIZE))
        return {
            "picture": bench.picture(number, TILED_SIZE),
            "settings": settings.to_json(),
            "result": str(bench.scratch / "tiles.npy"),
        }

    with bench.side("ours", demo) as ours, bench.side("stock", demo) as theirs:
        return _in_turns(bench, "tiles", ours, theirs, "estimate", arguments)


def measure_sequence(bench: Bench, demo: Path) -> dict[str, Any]:
    """A clip with the demo checkpoint, files and all, beside independent stock frames."""

    def arguments(side: str, number: int) -> dict[str, Any]:
        frames = bench.scratch / f"clip_{number}"
        if not frames.exists():
            frames.mkdir()
            for index, picture in enumerate(draw_pan(number, CLIP_FRAMES, *CLIP_SIZE)):
                Image.fromarray(picture).save(frames / f"frame_{index:04d}.png")
        result = bench.scratch / f"clip_{number}_{side}"
        return {"frames": str(frames), "settings": DEFAULT.to_json(), "result": str(result)}

    with bench.side("ours", demo) as ours, bench.side("stock", demo) as theirs:
        return _in_turns(bench, "sequence", ours, theirs, "clip", arguments)


def _in_turns(
    bench: Bench,
    name: str,
    ours: SideProcess,
    theirs: SideProcess,
    work: str,
    arguments: Callable[[str, int], dict[str, Any]],
) -> dict[str, Any]:
    """The same work on both sides, one after the other."""
    runs: dict[str, list[Run]] = {"stock": [], "ours": []}
    for number in range(bench.repeats):
        bench.say(f"{name}, {number + 1} of {bench.repeats}")
        runs["stock"].append(theirs.ask(work, **arguments("stock", number)))
        runs["ours"].append(ours.ask(work, **arguments("ours", number)))
    return _beside(runs["ours"], runs["stock"])


def _beside(ours: Sequence[Run], stock: Sequence[Run]) -> dict[str, Any]:
    """Medians of both sides and their ratios."""
    found: dict[str, Any] = {}
    for name, digits in (("seconds", 3), ("processor_seconds", 3), ("peak_mib", 0)):
        mine, their = median(run[name] for run in ours), median(run[name] for run in stock)
        found |= {name: round(mine, digits), f"stock_{name}": round(their, digits)}
        ratio = {"seconds": "ratio", "processor_seconds": "processor_ratio", "peak_mib": "peak_ratio"}[name]
        found[ratio] = round(mine / their, 4)
    return {**found, "repeats": len(ours)}


def _difference(depth: np.ndarray, stock: np.ndarray) -> float:
    """Mean difference as a share of the stock depth's 2-98 % span."""
    low, high = np.quantile(stock, [0.02, 0.98])
    return float(np.abs(depth - stock).mean() / max(high - low, 1e-9))
