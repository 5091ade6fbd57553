"""How soon a running estimate obeys a cancel, and that its weights stay loaded: steps of part 3."""

import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from marigold_blender.errors import MarigoldError
from marigold_blender.settings import EstimateSettings
from marigold_blender.worker.client.jobs import JobQueue
from marigold_blender.worker.client.process import WorkerConfig
from tests.acceptance.benchmark import full_size_checkpoint
from tests.acceptance.part_1 import PHOTOS


def cancel_demo() -> dict[str, Any]:
    return _cancels(EstimateSettings(model="demo", steps=50, ensemble=20), 12, 1.5)


def cancel_full_size() -> dict[str, Any]:
    """Stable Diffusion 2's VAE and Marigold's U-Net at their full size, with random weights."""
    return _cancels(EstimateSettings(model=str(full_size_checkpoint()), steps=4, resolution=768), 5, 20.0)


def _cancels(settings: EstimateSettings, count: int, within_s: float) -> dict[str, Any]:
    """Seconds from the cancel to its end, at random moments once the network computes."""
    chance = random.Random(5)
    waits: list[tuple[str, float]] = []
    loads = 0
    with tempfile.TemporaryDirectory() as folder:
        config = WorkerConfig(Path(sys.executable), Path(folder))
        queue = JobQueue(lambda: config)
        for number in range(count):
            job_folder = queue.new_folder()
            payload = {
                "photo": str(PHOTOS[0]),
                "name": "x",
                "output": str(job_folder / "out"),
                "settings": {**settings.to_json(), "seed": number},
            }
            job = queue.submit("estimate", payload, job_folder)
            stages = set()
            while job.stage not in ("encoding", "denoising"):
                queue.poll()
                stages.add(job.stage)
                time.sleep(0.002)
            loads += "loading" in stages
            until = time.monotonic() + chance.uniform(0, within_s)
            while time.monotonic() < until:
                queue.poll()
                time.sleep(0.005)
            stage, asked = job.stage, time.monotonic()
            queue.cancel(job)
            try:
                queue.wait(job)
            except MarigoldError as error:
                waits.append((f"{stage}: {error.kind}", time.monotonic() - asked))
        queue.shutdown()
    return {
        "cancels": len(waits),
        "stages": sorted({stage for stage, _ in waits}),
        "max_s": round(max(wait for _, wait in waits), 3),
        "times_loaded": loads,
    }
