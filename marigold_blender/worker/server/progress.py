# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns what the parts of a task report into one share of the whole. Used by `main`, the command line and the tasks."""

from __future__ import annotations

import time
from collections import deque
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
    "depth_of_field": {"reading": 0.1, "importing": 0.2, "blurring": 0.6, "writing": 0.1},
    "estimate_depth_of_field": {
        **{name: share * 0.7 for name, share in STAGE_SHARE.items() if name != "writing"},
        "blurring": 0.28,
        "writing": 0.055,
    },
    "estimate_clip": {"frames": 1.0},
    "focus_clip": {"frames": 1.0},
    "estimate_focus_clip": {"estimating": 0.7, "frames": 0.3},
    "train": {"importing": 0.01, "rendering": 0.14, "training": 0.85},
    "download_model": {"waiting": 0.0, "asking": 0.0, "checking": 0.0, "downloading": 1.0},
    "verify_model": {"waiting": 0.0, "checking": 1.0},
    "move_models": {"waiting": 0.0, "copying": 1.0},
}
# Stages whose `done` and `total` are bytes: their speed is worth showing.
BYTE_STAGES = ("checking", "downloading", "copying")
BYTES_EVERY_S = 0.1
SPEED_OVER_S = 5.0


class Progress:
    """Callable as `report(stage, done, total)`; sends `stage`, `done`, `total` and `overall` on.

    Of bytes it also sends `bytes_per_s` and `seconds_left`, and not more often than a person can read.

    Args:
        send: takes the dictionary of those.
        shares: how the time is shared out among the stages, in their order.
    """

    def __init__(self, send: Callable[[dict[str, Any]], None], shares: Mapping[str, float] = STAGE_SHARE) -> None:
        self._send = send
        self._shares = shares
        self._overall = 0.0
        self._stage = ""
        self._sent_at = 0.0
        self._speed = Speed()

    def __call__(self, stage: str, done: int, total: int) -> None:
        names = list(self._shares)
        before = sum(self._shares[name] for name in names[: names.index(stage)])
        share = done / total if total else 0.0
        self._overall = max(self._overall, before + self._shares[stage] * share)
        update = {"stage": stage, "done": done, "total": total, "overall": round(self._overall, 4)}
        if stage in BYTE_STAGES:
            now = time.monotonic()
            if stage != self._stage:
                self._speed = Speed()
            elif done < total and now - self._sent_at < BYTES_EVERY_S:
                return
            self._sent_at = now
            bytes_per_s = self._speed.after(done, now)
            update["bytes_per_s"] = round(bytes_per_s)
            update["seconds_left"] = round((total - done) / bytes_per_s) if bytes_per_s else None
        self._stage = stage
        self._send(update)


class Speed:
    """How fast something grew in the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def after(self, done: int, now: float) -> float:
        """Bytes a second, told that `done` bytes are there at `now` (`time.monotonic`); 0 while nothing is known."""
        if self._seen and done < self._seen[-1][1]:
            self._seen.clear()  # a file was started over
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] > SPEED_OVER_S:
            self._seen.popleft()
        since, before = self._seen[0]
        return (done - before) / (now - since) if now > since else 0.0
