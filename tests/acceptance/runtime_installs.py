"""The runtime in full: one real installation into an empty folder, and kills at random moments. Steps of part 3."""

import os
import random
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from marigold_blender.runtime.installer import InstallerJob, start_install
from marigold_blender.runtime.status import read_status
from tests.faults.package_index import PackageIndex, environment_of, write_pins
from tests.faults.processes import wait_for_no_process

GONE_S = 2.0
KILL_WITHIN_S = 25.0
SLOW = 400_000  # bytes a second


def full_install() -> dict[str, Any]:
    """pip's own configuration, the pinned packages, torch for the CPU, and the check by the demo checkpoint."""
    with tempfile.TemporaryDirectory(prefix="Ünï cöde ") as home:
        started = time.monotonic()
        stages: dict[str, float] = {}
        job = start_install(Path(home) / "runtime", accelerator="cpu", installer="pip")

        def note(job: InstallerJob) -> None:
            stages.setdefault(job.stage, round(time.monotonic() - started, 1))

        job.wait(note)
        status = read_status(Path(home) / "runtime")
        return {
            "seconds": round(time.monotonic() - started, 1),
            "stages_began_at": stages,
            "megabytes": round(status.bytes / 1e6),
            "sentence": status.sentence,
        }


def install_kills(count: int) -> dict[str, Any]:
    """SIGKILL at random moments of installations and updates of tiny packages; each next one must recover by itself."""
    chance = random.Random(3)
    stages: Counter[str] = Counter()
    again: list[str] = []
    ready = False
    with tempfile.TemporaryDirectory() as place:
        write_pins(Path(place) / "pins", Path(place) / "wheels")
        index = PackageIndex(Path(place) / "wheels")
        for name, value in environment_of(index, Path(place) / "pins").items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        folder = Path(place) / "runtime"
        index.bytes_per_second = SLOW
        for number in range(count):
            stage = killed_at_random(folder, chance)
            stages[stage] += 1
            again += [name for name, times in Counter(index.completed).items() if times > 1]
            ready = ready or stage == "after the end"
            status = read_status(folder)
            if status.state.is_busy or ready != (status.python is not None):
                raise SystemExit(f"after kill {number}, while {stage}: {status}")
            if stage == "after the end":
                index.completed.clear()  # what was downloaded is deleted after success
        start_install(folder, accelerator="cpu", installer="pip", force=True).wait()
        left = sorted(path.name for path in folder.iterdir() if not path.name.startswith("env-"))
        environments = len(list(folder.glob("env-*")))
        index.close()
    return {
        "kills": count,
        "killed_while": dict(stages),
        "fetched_again": sorted(set(again)),
        "environments_left": environments,
        "left_besides": left,
    }


def killed_at_random(folder: Path, chance: random.Random) -> str:
    """Start an installation and kill it some time later; the stage that it was in."""
    job = start_install(folder, accelerator="cpu", installer="pip", force=True)
    until = time.monotonic() + chance.uniform(0.0, KILL_WITHIN_S)
    while time.monotonic() < until and not job.poll().is_over:
        time.sleep(0.01)
    if job.error:
        raise SystemExit(f"{job.error.message}\n{job.error.details}")
    stage = "after the end" if job.state.is_over else job.stage
    job.process.kill()
    job.process.wait()
    wait_for_no_process(folder, GONE_S)
    return stage
