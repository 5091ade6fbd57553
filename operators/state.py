# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of this machine: runtime, models, a training's progress, what past runs took. Panels draw from it.

Drawing must not touch the disk, so a timer looks, at most every few seconds and only while something is drawn.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import bpy

from ..marigold_blender.models.catalogue import CATALOGUE
from ..marigold_blender.models.find import preferred_model
from ..marigold_blender.models.folders import models_folder
from ..marigold_blender.models.naming import known_models
from ..marigold_blender.models.status import ModelStatus, forget_statuses, status
from ..marigold_blender.runtime.status import RuntimeStatus, read_status
from ..marigold_blender.settings import PRESETS, EstimateSettings
from ..marigold_blender.training.blend_request import TrainingState, training_state
from ..marigold_blender.worker.client.past_runs import PastRuns
from . import config

FRESH_S = 3.0


@dataclass(frozen=True)
class Snapshot:
    """How things stood a moment ago.

    Attributes:
        python: interpreter that the worker would run with; empty if there is none.
        runtime: the installed runtime, also where another Python is named.
        preferred: the model that is meant where none is named.
        models: by name, in the catalogue's order; models_folder: where they lie.
        training: of the name that the Training panel shows.
        photo: the chosen photo's file, if it is there.
    """

    python: str
    runtime: RuntimeStatus
    preferred: str
    models: dict[str, ModelStatus]
    models_folder: Path
    training: TrainingState
    photo: Path | None

    def model(self, name: str) -> ModelStatus | None:
        """How the model that a setting names stands; None for a folder's path or an unknown name."""
        return self.models.get(name or self.preferred)


_snapshot: Snapshot | None = None
_looked_at = 0.0
_past_runs: PastRuns | None = None


def current() -> Snapshot | None:
    """The last look; a new one follows soon if it is old. None before the first. For draw functions."""
    if time.monotonic() - _looked_at > FRESH_S:
        _look_soon()
    return _snapshot


def look_again() -> None:
    """Something on disk has changed: a model, the runtime, a folder."""
    global _looked_at
    forget_statuses()
    _looked_at = 0.0
    if not bpy.app.background:  # timers never fire there, and nothing is drawn
        _look_soon()


def past_runs() -> PastRuns:
    """What past runs on this machine took; read from disk once."""
    global _past_runs
    if _past_runs is None:
        _past_runs = PastRuns(config.cache_folder())
    return _past_runs


def run_kind(settings: EstimateSettings) -> str:
    """What decides how long an estimate takes: as it was asked for, and on what."""
    asked = [settings.model, settings.preset, settings.steps, settings.ensemble, settings.resolution]
    if settings.tiling:
        asked.append(f"tiles{settings.tiling}")
    return " ".join(map(str, (*asked, config.device(), config.precision())))


def preset_times(settings: EstimateSettings) -> dict[str, float]:
    """Seconds that each preset will take by its label, as far as this machine's past runs tell.

    One that was never run is told from Balanced, which shows how many steps the model takes by itself.
    """
    found = {}
    model = CATALOGUE.get(settings.model)
    is_single_step = model is not None and model.zero_noise  # all presets are the same to it
    balanced = run_kind(replace(settings, preset="BALANCED"))
    for preset, recipe in PRESETS.items():
        expected = past_runs().expected(run_kind(replace(settings, preset=preset)))
        seconds = expected.seconds if expected else None
        if seconds is None and not settings.tiling and not is_single_step:
            steps, ensemble = settings.steps or recipe.steps, settings.ensemble or recipe.ensemble
            seconds = past_runs().expected_from(balanced, steps, ensemble)
        if seconds is not None:
            found[recipe.label] = seconds
    return found


def forget() -> None:
    """Know nothing: the extension is being disabled, or the cache folder has changed."""
    global _snapshot, _looked_at, _past_runs
    if bpy.app.timers.is_registered(_look):
        bpy.app.timers.unregister(_look)
    _snapshot, _looked_at, _past_runs = None, 0.0, None


def _look_soon() -> None:
    if not bpy.app.timers.is_registered(_look):
        bpy.app.timers.register(_look, persistent=True)


def _look() -> None:
    global _snapshot, _looked_at
    seen = _snapshot
    _looked_at = time.monotonic()
    past_runs()
    settings = bpy.context.scene.marigold
    photo = Path(bpy.path.abspath(settings.filepath))
    _snapshot = Snapshot(
        python=config.worker_python(),
        runtime=read_status(config.runtime_folder()),
        preferred=preferred_model(),
        models={name: status(name) for name in known_models()},
        models_folder=models_folder(),
        training=training_state(settings.training.training_folder()),
        photo=photo if settings.filepath and photo.is_file() else None,
    )
    if seen is None or _essence(seen) != _essence(_snapshot):
        redraw()


def _essence(snapshot: Snapshot) -> tuple[object, ...]:
    # a problem is an exception, which equals only itself
    runtime = snapshot.runtime.to_json()
    return snapshot.python, runtime, snapshot.preferred, snapshot.models, snapshot.training, snapshot.photo


def redraw() -> None:
    """Draw the sidebars and the preferences anew."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            kind = "UI" if area.type in {"VIEW_3D", "IMAGE_EDITOR"} else "WINDOW"
            if area.type in {"VIEW_3D", "IMAGE_EDITOR", "PREFERENCES"}:
                for region in area.regions:
                    if region.type == kind:
                        region.tag_redraw()
