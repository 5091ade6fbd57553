# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold benchmark`: measures, and prints a table or one JSON object. Called by `cli`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from types import FrameType
from typing import Any

from .. import __version__
from ..errors import MarigoldError
from ..models.find import find_model
from ..progress_line import ProgressLine

NAMES = ("warm", "cold", "draft", "ensemble", "tiles", "sequence")
OF_NETWORKS = ("warm", "cold", "draft")
FULL_SIZE = "marigold-full-size-random"
FULL_SIZE_BYTES = 10 << 30  # both sides at once, at 768 pixels
MAX_REPEATS = 100
COLUMNS = ("", "seconds", "stock", "ratio", "peak MiB", "stock", "ratio", "difference")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", choices=NAMES, action="append", help="measure only this; may be given again")
    parser.add_argument(
        "--model", help="measure warm, cold and draft with this model (default: full-size networks with random weights)"
    )
    parser.add_argument(
        "--repeats", type=int, default=3, help="how often each is measured; medians count (%(default)s)"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        help="keep the full-size networks in this folder (2.6 GB; else they are made and deleted)",
    )


def run(options: argparse.Namespace) -> int:
    """Measure what was asked for.

    Raises:
        MarigoldError: impossible options, no such model, no memory, no room on the disk.
    """
    if not 1 <= options.repeats <= MAX_REPEATS:
        raise MarigoldError("bad_input", f"--repeats is {options.repeats}: use a number from 1 to {MAX_REPEATS}.")
    names = tuple(name for name in NAMES if not options.only or name in options.only)
    model = find_model(options.model) if options.model else None
    scratch = Path(tempfile.mkdtemp(prefix="marigold_benchmark_"))
    before = signal.signal(signal.SIGTERM, _stop)  # what was made is deleted then too
    try:
        with ProgressLine("benchmark") as line:
            found = _measure(names, model, options, scratch, line)
    finally:
        signal.signal(signal.SIGTERM, before)
        shutil.rmtree(scratch, ignore_errors=True)
    if options.json:
        print(json.dumps({"ok": True, "about": _about(), **found}, ensure_ascii=False))
    else:
        print("\n".join(_table(found)))
    return 0


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _measure(
    names: tuple[str, ...], model: Path | None, options: argparse.Namespace, scratch: Path, line: ProgressLine
) -> dict[str, Any]:
    from . import measures

    demo = find_model("demo")
    of_networks = [name for name in names if name in OF_NETWORKS]
    others = {
        "ensemble": measures.measure_ensemble,
        "tiles": measures.measure_tiles,
        "sequence": measures.measure_sequence,
    }
    done = 0

    def say(text: str) -> None:
        nonlocal done
        line.show({"overall": done / len(names), "stage": text, "done": 0, "total": 0})

    bench = measures.Bench(scratch, options.repeats, say)
    found: dict[str, Any] = {}
    if of_networks:
        label = options.model
        if model is None:
            label = "full size, random weights"
            say("making the full-size networks")
            model = _full_size(options.folder or scratch, demo)
        for name, figures in measures.measure_networks(bench, model, of_networks).items():
            found[name] = {"model": label, **figures}
        done = len(of_networks)
        if label != "demo":
            for name, figures in measures.measure_networks(bench, demo, of_networks).items():
                found[name]["demo"] = figures
    for name in names:
        if name in others:
            found[name] = {"model": "demo", **others[name](bench, demo)}
            done += 1
    return found


def _full_size(folder: Path, demo: Path) -> Path:
    """The full-size networks in `folder`, where they are if they were made before."""
    import psutil

    if (free := psutil.virtual_memory().available) < FULL_SIZE_BYTES:
        raise MarigoldError(
            "out_of_memory",
            f"Full-size networks need {FULL_SIZE_BYTES >> 30} GB of memory on both sides together and "
            f"{free / (1 << 30):.1f} GB are free: close other programs, or measure with --model demo.",
        )
    from .full_size import write_full_size

    write_full_size(folder / FULL_SIZE, demo)
    return folder / FULL_SIZE


def _about() -> dict[str, Any]:
    """What was measured on, and against what."""
    from ..estimation.devices import choose_device, device_name, fastest_dtype

    device = choose_device()
    return {
        "marigold_blender": __version__,
        "stock": f"diffusers {metadata.version('diffusers')}, float32",
        "torch": metadata.version("torch"),
        "device": device_name(device),
        "full_size_networks_in": str(fastest_dtype(device)).removeprefix("torch."),
        "cores": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "command": "marigold " + " ".join(sys.argv[1:]),
    }


def _table(found: dict[str, Any]) -> list[str]:
    """A line for each measure and model."""
    rows: list[tuple[str, ...]] = [COLUMNS]
    for name, figures in found.items():
        rows.append(_row(f"{name} ({figures['model']})", figures))
        if "demo" in figures:
            rows.append(_row(f"{name} (demo)", figures["demo"]))
    widths = [max(len(row[index]) for row in rows) for index in range(len(COLUMNS))]
    return [
        "  ".join(
            cell.rjust(width) if index else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _row(title: str, figures: dict[str, Any]) -> tuple[str, ...]:
    return (
        title,
        f"{figures['seconds']:.2f}",
        f"{figures['stock_seconds']:.2f}",
        f"{figures['ratio']:.3f}",
        f"{figures['peak_mib']:.0f}",
        f"{figures['stock_peak_mib']:.0f}",
        f"{figures['peak_ratio']:.2f}",
        f"{figures['difference']:.4f}" if "difference" in figures else "",
    )
