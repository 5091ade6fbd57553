# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns what the parts of a task report into one share of the whole. Used by `main`, the command line and the tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

# How an estimate's time is shared out among its stages, roughly: within a stage, progress is counted, not timed.
STAGE_SHARE = {
    "reading": 0.04,
    "importing": 0.10,  # torch, by the first job of a worker
    "loading": 0.06,
    "encoding": 0.08,
    "denoising": 0.50,
    "decoding": 0.12,
    "aligning": 0.05,
    "writing": 0.05,
}
# The same for tasks with other stages, by the task's name.
SHARES: dict[str, Mapping[str, float]] = {
    "train": {"importing": 0.01, "rendering": 0.14, "training": 0.85},
}


class Progress:
    """Callable as `report(stage, done, total)`; sends `stage`, `done`, `total` and `overall` on.

    Args:
        send: takes the dictionary of those four.
        shares: how the time is shared out among the stages, in their order.
    """

    def __init__(self, send: Callable[[dict[str, Any]], None], shares: Mapping[str, float] = STAGE_SHARE) -> None:
        self._send = send
        self._shares = shares
        self._overall = 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        names = list(self._shares)
        before = sum(self._shares[name] for name in names[: names.index(stage)])
        share = done / total if total else 0.0
        self._overall = max(self._overall, before + self._shares[stage] * share)
        self._send({"stage": stage, "done": done, "total": total, "overall": round(self._overall, 4)})
