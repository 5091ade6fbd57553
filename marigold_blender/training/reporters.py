# SPDX-License-Identifier: GPL-3.0-or-later
"""What `marigold train` prints while a stage runs. Called by `command.py`."""

from __future__ import annotations

import time
from collections.abc import Callable


def losses() -> Callable[[int, int, float], None]:
    """A reporter that prints each logged loss."""
    started, first = time.monotonic(), -1

    def report(step: int, steps: int, loss: float) -> None:
        nonlocal first
        first = step if first < 0 else first
        rate = (step - first) / (time.monotonic() - started)
        left = f", {(steps - step) / rate / 60:.0f} min left" if rate else ""
        print(f"step {step} of {steps}: loss {loss:.4f}{left}", flush=True)

    return report


def progress(unit: str, every_s: float = 30.0) -> Callable[[int, int], None]:
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
