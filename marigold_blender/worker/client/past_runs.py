# SPDX-License-Identifier: GPL-3.0-or-later
"""What past runs took on this machine, so that a panel can say “about 12 s, 1.4 GB” and a job its time left.

One small JSON file in the cache folder, written after each job that computed something. Used by `operators/session.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from .job import Job, JobState

KEEP = 5  # runs of a kind; their median counts, so that one slow start does not
NAME = "past_runs.json"
COUNTS = {"steps", "ensemble"}


@dataclass(frozen=True)
class Expected:
    """What a run will probably take.

    Attributes:
        seconds: from its start to its end, with the model loaded as often as it was lately.
        memory_mib: the most memory it held, on the device that computes; None where that is not known.
    """

    seconds: float
    memory_mib: int | None


class PastRuns:
    """The runs noted in a folder. A damaged or unwritable file costs the figures, nothing else."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._runs: dict[str, list[dict[str, Any]]] = {}
        self.device = ""  # name of the device that computed last
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            data = json.loads(self._path.read_text(encoding="utf-8"))
            self._runs = {
                str(kind): [
                    {"stages": _seconds(run["stages"]), "memory_mib": run["memory_mib"], **_counts(run)} for run in runs
                ]
                for kind, runs in data["runs"].items()
            }
            self.device = str(data["device"])

    def __bool__(self) -> bool:
        return bool(self._runs)

    def note(self, kind: str, job: Job) -> None:
        """Add a finished job of a kind (any string that says what decides its time)."""
        if job.state is not JobState.DONE or not job.result or job.result.get("cached"):
            return
        run = {
            "stages": _seconds(job.stage_seconds),
            "memory_mib": job.result.get("memory_mib"),
            **_counts((job.result.get("record") or {}).get("settings") or {}),
        }
        self._runs[kind] = [*self._runs.get(kind, []), run][-KEEP:]
        self.device = job.result.get("device", self.device)
        with contextlib.suppress(OSError):  # the figures of this session are still there
            self._path.parent.mkdir(parents=True, exist_ok=True)
            beside = self._path.with_suffix(f".{os.getpid()}.part")
            beside.write_text(json.dumps({"device": self.device, "runs": self._runs}), encoding="utf-8")
            beside.replace(self._path)

    def expected(self, kind: str) -> Expected | None:
        """What a run of this kind will take; None if there was none."""
        if not (runs := self._runs.get(kind)):
            return None
        memory = [run["memory_mib"] for run in runs if run["memory_mib"]]
        return Expected(sum(self._medians(kind).values()), round(median(memory)) if memory else None)

    def expected_from(self, like: str, steps: int, ensemble: int) -> float | None:
        """Seconds that a run will take of which only the kind `like` was ever done, with other numbers.

        Args:
            steps, ensemble: of the run to come; 0 steps = as many as `like` took.
        """
        counted = [run for run in self._runs.get(like, []) if run.keys() >= COUNTS]
        if not counted:
            return None
        last, medians = counted[-1], self._medians(like)
        members = ensemble / last["ensemble"]
        factors = {"denoising": members * (steps or last["steps"]) / last["steps"], "decoding": members}
        return sum(seconds * factors.get(stage, 1.0) for stage, seconds in medians.items())

    def seconds_left(self, kind: str, job: Job, now: float) -> float | None:
        """Time that a running job still needs; None where nothing is known.

        Args:
            now: `time.monotonic`.
        """
        if job.state is not JobState.RUNNING:
            return None
        medians = self._medians(kind)
        if job.counted_from and job.done > job.counted_from[1]:  # what was there before, and the slow start, count not
            since, first = job.counted_from
            here = (now - since) / (job.done - first) * (job.total - job.done)
        elif job.stage in medians:
            here = max(medians[job.stage] - (now - job.stage_started_at), 0.0)
        else:
            return None
        over = {*job.stage_seconds, job.stage}
        return here + sum(seconds for stage, seconds in medians.items() if stage not in over)

    def _medians(self, kind: str) -> dict[str, float]:
        runs = self._runs.get(kind, [])
        stages = dict.fromkeys(stage for run in runs for stage in run["stages"])
        return {stage: median(run["stages"].get(stage, 0.0) for run in runs) for stage in stages}


def _counts(settings: Mapping[str, Any]) -> dict[str, int]:
    """The numbers that a run's time grows with, where it tells them."""
    found = {name: settings[name] for name in COUNTS if isinstance(settings.get(name), int) and settings[name] > 0}
    return found if len(found) == len(COUNTS) else {}


def _seconds(stages: Mapping[str, Any]) -> dict[str, float]:
    return {str(stage): round(float(seconds), 2) for stage, seconds in stages.items()}
