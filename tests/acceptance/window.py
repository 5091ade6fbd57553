"""The window in full: from nothing to a mesh with a real installation, long use, growth, twenty times over.

Steps of part 3.
"""

import os
import shutil
import ssl
import sys
import tempfile
from pathlib import Path
from typing import Any

import sklearn.datasets

from tests.gui.blender_window import BlenderWindow, install
from tests.local_hub import Faults, LocalHub, published_models

CHINA = Path(sklearn.datasets.__file__).parent / "images" / "china.jpg"
TIMES = 20
JOBS_BEFORE, JOBS = 10, 100
MINUTES = 5
PIECE_S = 0.05  # slows the hub down, so that a download lasts


def first_start() -> dict[str, Any]:
    """A fresh user folder: the runtime installed by its button, a model fetched, a photo dropped."""
    with tempfile.TemporaryDirectory() as folder, LocalHub(published_models()) as hub:
        window = install(BlenderWindow(Path(folder), has_runtime=False))
        window.environment["HF_ENDPOINT"] = hub.endpoint
        window.environment |= own_certificates(Path(folder))
        base = str(Path(sys.base_prefix) / "bin" / "python3")
        report = window.drive("first_start_steps.py", CHINA, "install", base, timeout_s=3600)
    return {name: report[name] for name in ("failures", "made", "estimated_with", "guide_is_over", "installed_in_s")}


def own_certificates(folder: Path) -> dict[str, str]:
    """This machine's certificates where the window's system sees them, which has others at the usual place."""
    mine = os.environ.get("PIP_CERT") or ssl.get_default_verify_paths().cafile
    if not mine:
        return {}
    seen = str(shutil.copy(mine, folder / "certificates.pem"))
    # whichever variable names them: requests takes its own before pip's
    return dict.fromkeys(["PIP_CERT", *(name for name, value in os.environ.items() if value == mine)], seen)


def twenty_times() -> dict[str, Any]:
    """Disabled and enabled, and files opened, twenty times each while a job runs."""
    with tempfile.TemporaryDirectory() as folder:
        window = install(BlenderWindow(Path(folder)))
        report = window.drive("housekeeping_steps.py", CHINA, TIMES, timeout_s=1800)
    return {
        "times": TIMES,
        "left_in_blender": report["after"] == report["before"] == report["after_files"],
        "processes_left": sum(map(len, report["after_disabling"])),
        "result_offered_after": report["made"],
    }


def long_use() -> dict[str, Any]:
    """Jobs and downloads for five minutes: how long the extension's calls hold the main thread, in ms."""
    with tempfile.TemporaryDirectory() as folder, LocalHub(published_models(), Faults(piece_s=PIECE_S)) as hub:
        window = install(BlenderWindow(Path(folder)))
        window.environment["HF_ENDPOINT"] = hub.endpoint
        report = window.drive("long_use_steps.py", CHINA, 60 * MINUTES, timeout_s=1800)
    held: dict[str, list[tuple[float, float]]] = {}
    for name, thread, wall in report["held"]:
        held.setdefault(name, []).append((1000 * thread, 1000 * wall))
    calls = {
        name: {
            "calls": len(times),
            "thread_max_ms": round(max(thread for thread, _ in times), 2),
            "wall_p99_ms": round(sorted(wall for _, wall in times)[int(0.99 * len(times))], 2),
        }
        for name, times in held.items()
    }
    return {name: report[name] for name in ("jobs", "downloads", "failures")} | {
        "raised": report.get("raised", []),
        "held": calls,
    }


def growth() -> dict[str, Any]:
    """What is left of a hundred jobs whose results were deleted, in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        window = install(BlenderWindow(Path(folder)))
        report = window.drive("memory_steps.py", CHINA, 200_000, JOBS_BEFORE, JOBS, timeout_s=7200)
    (blender, worker), (blender_after, worker_after) = report["before_mib"], report["after_mib"]
    return {
        "jobs_before": JOBS_BEFORE,
        "jobs": JOBS,
        "blender_mib": blender,
        "blender_mib_with_what_its_allocator_keeps": [report["kept_before_mib"], report["kept_after_mib"]],
        "in_use_by_blenders_own_count": [report["in_use_before"], report["in_use_after"]],
        "blender_grew_mib": blender_after - blender,
        "worker_grew_mib": worker_after - worker,
        "failures": report["failures"],
    }
