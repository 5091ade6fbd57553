"""Part 1 in full: five photos rendered back, kills at random moments, answers while computing, a million vertices."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import skimage
import sklearn.datasets

from marigold_blender.errors import MarigoldError
from marigold_blender.settings import EstimateSettings
from marigold_blender.worker.client.job import Job
from marigold_blender.worker.client.jobs import JobQueue
from marigold_blender.worker.client.process import Worker, WorkerConfig
from tests.acceptance.steps import ROOT, Acceptance

SKLEARN = Path(sklearn.datasets.__file__).parent / "images"
SKIMAGE = Path(skimage.__file__).parent / "data"
PHOTOS = [
    SKLEARN / "china.jpg",
    *(SKIMAGE / name for name in ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")),
]
KILLS = 40
PINGS = 200


def main() -> None:
    acceptance = Acceptance(1)
    for photo in PHOTOS:
        acceptance.step(f"rendered_back_{photo.stem}", lambda photo=photo: rendered_back(photo))
    acceptance.step("kills", lambda: kills(KILLS))
    acceptance.step("answers", answers)
    acceptance.step("million_vertices", million_vertices)
    acceptance.finish()


def rendered_back(photo: Path) -> dict[str, Any]:
    """The photo through the real extension: PSNR and coverage of the matched render, error of its Z pass."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "MARIGOLD_PYTHON": sys.executable,
            "MARIGOLD_CACHE": f"{folder}/cache",
            "BLENDER_USER_RESOURCES": f"{folder}/user",
        }
        command = [sys.executable, "-m", "tests.acceptance.render_photo_back", photo, folder]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    if "RESULT" not in done.stdout:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
    return json.loads(done.stdout.split("RESULT")[1])


def kills(count: int) -> dict[str, Any]:
    """SIGKILL at random moments: each job fails with one sentence, the next one works, nothing is left over."""
    chance = random.Random(1)
    sentences: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        config = WorkerConfig(Path(sys.executable), Path(folder))
        queue = JobQueue(lambda: config)
        pids = []
        for number in range(count):
            job = _submit(queue, EstimateSettings(steps=50, ensemble=30, seed=number))
            at = time.monotonic() + chance.uniform(0.0, 9.0)
            while time.monotonic() < at and not job.state.is_over:
                queue.poll()
                time.sleep(0.005)
            if not job.state.is_over:
                pids.append(queue.worker_pid)
                os.kill(queue.worker_pid, signal.SIGKILL)
            try:
                queue.wait(job)
                outcome = "done before the kill"
            except MarigoldError as error:
                outcome = f"{error.kind} while {job.stage}" if error.kind != "worker_died" else error.message
            sentences[outcome] = sentences.get(outcome, 0) + 1
        last = queue.wait(_submit(queue, EstimateSettings(steps=1)))
        whole = all(Path(path).stat().st_size for path in last["files"].values())
        unfinished = [entry.name for entry in (Path(folder) / "results").iterdir() if entry.name.startswith(".")]
        queue.shutdown()
        alive = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    return {
        "kills": len(pids),
        "outcomes": sentences,
        "next_job_whole": whole,
        "processes_left": len(alive),
        "unfinished_results_to_prune": len(unfinished),
    }


def answers() -> dict[str, Any]:
    """How long ping takes while torch is imported and while a network computes, in ms."""
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker(WorkerConfig(Path(sys.executable), Path(folder)))
        settings = EstimateSettings(steps=50, ensemble=20)
        payload = {
            "photo": str(PHOTOS[0]),
            "name": "x",
            "output": f"{folder}/out",
            "settings": settings.to_json(),
        }
        while not worker.ready:
            worker.receive()
        worker.send({"type": "request", "job": "slow", "task": "estimate", "payload": payload})
        waits: dict[str, list[float]] = {"importing": [], "denoising": []}
        stage = "importing"
        while len(waits["denoising"]) < PINGS:
            sent = time.monotonic()
            worker.send({"type": "ping", "id": 1})
            answered = False
            asked_in = stage
            while not answered:
                for message in worker.receive():
                    stage = message.get("stage", stage)
                    answered |= message["type"] == "pong"
                time.sleep(0.0005)
            if asked_in in waits:
                waits[asked_in].append(1000 * (time.monotonic() - sent))
        worker.stop()
    return {
        stage: {
            "pings": len(values),
            "median_ms": round(sorted(values)[len(values) // 2], 1),
            "p99_ms": round(sorted(values)[int(len(values) * 0.99)], 1),
            "max_ms": round(max(values), 1),
        }
        for stage, values in waits.items()
    }


def million_vertices() -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, ROOT / "tests/bench/build_mesh.py"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return json.loads(done.stdout[done.stdout.index("{") :])


def _submit(queue: JobQueue, settings: EstimateSettings) -> Job:
    folder = queue.new_folder()
    payload = {"photo": str(PHOTOS[0]), "name": "x", "output": str(folder / "out"), "settings": settings.to_json()}
    return queue.submit("estimate", payload, folder)


if __name__ == "__main__":
    main()
