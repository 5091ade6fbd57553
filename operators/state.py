# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of this machine: what past runs took, and on which device. Read from disk once, drawn by panels."""

from ..marigold_blender.models.status import forget_statuses
from ..marigold_blender.settings import EstimateSettings
from ..marigold_blender.worker.client.past_runs import PastRuns
from .config import cache_folder, device, precision

_past_runs: PastRuns | None = None


def past_runs() -> PastRuns:
    """What past runs on this machine took."""
    global _past_runs
    if _past_runs is None:
        _past_runs = PastRuns(cache_folder())
    return _past_runs


def run_kind(settings: EstimateSettings) -> str:
    """What decides how long an estimate takes: as it was asked for, and on what."""
    asked = (settings.model, settings.preset, settings.steps, settings.ensemble, settings.resolution)
    return " ".join(map(str, (*asked, device(), precision())))


def look_again() -> None:
    """Something on disk has changed: a model, the runtime."""
    forget_statuses()


def forget() -> None:
    """Read everything anew when it is next asked for: the extension is disabled, or a folder has changed."""
    global _past_runs
    _past_runs = None
