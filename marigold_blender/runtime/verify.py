# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that an environment works, by what it is for: the worker runs in it and estimates a small picture's depth.

Called by `install`. The demo checkpoint is used, which ships with the extension: nothing is fetched.
"""

from __future__ import annotations

import shutil
import struct
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import MarigoldError
from ..settings import EstimateSettings
from ..worker.client.job import Job
from ..worker.client.jobs import JobQueue
from ..worker.client.process import WorkerConfig
from .failures import explain, find_cause
from .folder import Layout

STEP_S = 0.02
NEEDED = ("torch", "diffusers", "transformers", "safetensors", "huggingface_hub", "numpy", "pillow", "OpenImageIO")
WIDTH, HEIGHT = 96, 64


@dataclass(frozen=True)
class Facts:
    """What was found out by running it."""

    python_version: str
    device: str
    versions: dict[str, str | None]
    seconds: float


def check_environment(
    python: Path, layout: Layout, device: str, report: Callable[[str, float], None], check: Callable[[], None]
) -> Facts:
    """Run the worker in `python`: its doctor, then an estimate.

    Args:
        device: torch's name of the device that it must compute on; empty: whichever it finds.
        report: gets what is being done, and the share that is done.
        check: called often; raises to stop.

    Raises:
        MarigoldError: it does not work (`no_runtime`, …), or `check` raised.
    """
    started = time.monotonic()
    folder = layout.temporary / "check"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    photo = folder / "picture.png"
    photo.write_bytes(png_of_a_road())
    environment = (("MARIGOLD_DEVICE", device),) if device else ()
    queue = JobQueue(lambda: WorkerConfig(python, folder, environment=environment))
    try:
        report("Loading torch", 0.0)
        found = _run(queue, "doctor", {}, lambda job: None, check)
        _judge(found, python, device)
        settings = EstimateSettings(model="demo", preset="DRAFT")
        payload = {"photo": str(photo), "name": "check", "output": str(folder / "out"), "settings": settings.to_json()}
        result = _run(
            queue, "estimate", payload, lambda job: report("Estimating a picture", 0.4 + 0.6 * job.overall), check
        )
        if not Path(result["files"]["depth"]).is_file():
            raise MarigoldError("internal", "The check of the runtime made no depth: please report it with the log.")
    except MarigoldError as error:
        raise _advised(error, layout) from error
    finally:
        queue.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
    name = found["device"].get("name") or found["device"]["device"]
    kind = found["device"]["device"].partition(":")[0]
    return Facts(
        found["python"], f"the CPU ({name})" if kind == "cpu" else name, found["libraries"], time.monotonic() - started
    )


def _run(
    queue: JobQueue, task: str, payload: dict[str, Any], on_change: Callable[[Job], None], check: Callable[[], None]
) -> dict[str, Any]:
    job = queue.submit(task, payload, queue.new_folder())
    while not job.state.is_over:
        check()
        if job in queue.poll():
            on_change(job)
        time.sleep(STEP_S)
    if job.error:
        raise job.error
    if job.result is None:
        raise MarigoldError("cancelled", "The check of the runtime was cancelled.")
    return job.result


def _judge(found: dict[str, Any], python: Path, device: str) -> None:
    """Whether the doctor's findings are those of an environment that the worker can use."""
    missing = [name for name in NEEDED if not found["libraries"].get(name)]
    details = "\n".join(found["problems"])
    if missing:
        raise MarigoldError(
            "no_runtime",
            f"“{python}” lacks {', '.join(missing)}: install them there, or let the runtime be installed.",
            fix="marigold.install_runtime",
            details=details,
        )
    if not found["device"]:
        broken = f"torch in “{python}” cannot be used"
        if device not in ("", "cpu"):
            broken += f" with the device “{device}” (is its driver installed?)"
        raise MarigoldError(
            "no_runtime",
            f"{broken}: install the runtime again, for the CPU if it stays so (the details say more).",
            fix="marigold.install_runtime",
            details=details,
        )


def _advised(error: MarigoldError, layout: Layout) -> MarigoldError:
    """The error with advice where what torch or the system printed is known."""
    text = f"{error.message}\n{error.details}"
    cause, _ = find_cause(text)
    if error.kind == "cancelled" or cause is None or cause.name in ("no_wheel", "no_pip", "timeout"):
        return error
    return explain(text, "checking the runtime", layout.folder)


def png_of_a_road() -> bytes:
    """A small picture with something near and something far, made without any library."""
    rows = bytearray()
    for y in range(HEIGHT):
        rows.append(0)  # no filter
        for x in range(WIDTH):
            below = y - HEIGHT // 3
            if below < 0:
                rows += bytes((120, 160, 230 - y))
            elif abs(x - WIDTH // 2) < 4 + below * 0.9:
                line = abs(x - WIDTH // 2) < 1 + below * 0.05 and (300 // (below + 4)) % 2
                rows += bytes((240, 240, 230) if line else (90, 90, 95))
            else:
                rows += bytes((60, 110 + (7 * x + 13 * y) % 30, 50))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(rows))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body
