"""SIGKILL at random moments of downloads from a local hub: steps of part 3."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from marigold_blender.models.folders import models_folder
from marigold_blender.models.licences import LICENCES, accept_licence
from marigold_blender.models.manifest import is_in_place, read_manifest
from marigold_blender.models.naming import named_model
from marigold_blender.models.status import look
from marigold_blender.models.verifying import verify_model
from tests.faults.processes import processes_of
from tests.local_hub import Faults, LocalHub, published_models

MODEL = "marigold-depth-v1-1"
WITHIN_S = 2.0


def download_kills(count: int) -> dict[str, Any]:
    """Each next run goes on by itself; what stands in its place is whole, and no byte of it is sent again."""
    chance = random.Random(7)
    shares: list[float] = []
    damaged: list[str] = []
    sent_again: set[str] = set()
    with tempfile.TemporaryDirectory() as place:
        os.environ["MARIGOLD_HOME"], os.environ["HF_HOME"] = f"{place}/home", f"{place}/huggingface"
        for licence in LICENCES:
            accept_licence(licence)
        with LocalHub(published_models(), Faults(piece_s=0.02)) as hub:
            os.environ["HF_ENDPOINT"] = hub.endpoint
            published = hub.repositories[named_model(MODEL).hub_id].files
            while len(shares) < count:
                verified, before, asked = _in_place(), dict(hub.sent), len(hub.requests)
                if not _killed(chance, lambda asked=asked: len(hub.requests) > asked):
                    verify_model(named_model(MODEL), lambda *_: None, lambda: None)
                    (models_folder() / MODEL / "unet/config.json").unlink()  # whole already: take a file away
                    continue
                sent_again |= {path for path in verified if hub.sent[path] != before[path]}
                damaged += [path for path in _in_place() if _bytes(path) != published[path]]
                shares.append(round(look(named_model(MODEL)).bytes_present / look(named_model(MODEL)).bytes_total, 2))
            hub.faults = Faults()
            _start().wait()
            found = verify_model(named_model(MODEL), lambda *_: None, lambda: None)
        left = processes_of(Path(place))
    return {
        "kills": count,
        "share_present_at_kill": shares,
        "counted_present_but_damaged": damaged,
        "verified_files_sent_again": sorted(sent_again),
        "damaged_in_the_end": list(found.damaged),
        "processes_left": len(left),
    }


def _start() -> subprocess.Popen:
    command = [sys.executable, "-m", "marigold_blender.cli", "models", "download", MODEL]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def _killed(chance: random.Random, begun) -> bool:
    """Download and kill some time after the first request; False if it was over before."""
    process = _start()
    while process.poll() is None and not begun():
        time.sleep(0.002)
    at = time.monotonic() + chance.uniform(0, WITHIN_S)
    while process.poll() is None and time.monotonic() < at:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def _in_place() -> set[str]:
    manifest = read_manifest(models_folder() / MODEL)
    folder = models_folder() / MODEL
    return {file.path for file in manifest.files if is_in_place(folder, file)} if manifest else set()


def _bytes(path: str) -> bytes:
    return (models_folder() / MODEL / path).read_bytes()
