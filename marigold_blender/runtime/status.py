# SPDX-License-Identifier: GPL-3.0-or-later
"""What the runtime is now, told in one sentence. Called by panels, `worker_config` and `marigold runtime status`.

Cheap enough to be drawn: one small file is read, nothing is run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import MarigoldError
from .folder import Layout
from .lock import is_held
from .requirements import fingerprint
from .sizes import gigabytes
from .state import Environment, RuntimeState, StateFile, read_state


@dataclass(frozen=True)
class RuntimeStatus:
    """How things stand.

    Attributes:
        state: the state; a busy one only while an installer really runs.
        python: interpreter to run the worker with, also while a newer one is being made; None if there is none.
        outdated: whether this version of the add-on pins other packages than the environment holds.
        problem: why the last run failed; None after success.
        sentence: all of it for the user.
    """

    state: RuntimeState
    folder: Path
    sentence: str
    python: Path | None = None
    python_version: str = ""
    accelerator: str = ""
    device: str = ""
    versions: dict[str, str | None] | None = None
    bytes: int = 0
    adopted: bool = False
    outdated: bool = False
    problem: MarigoldError | None = None
    log: Path | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            **self.__dict__,
            "state": self.state.value,
            "folder": str(self.folder),
            "python": str(self.python) if self.python else None,
            "log": str(self.log) if self.log else None,
            "problem": self.problem.to_json() if self.problem else None,
        }


def read_status(folder: Path) -> RuntimeStatus:
    """How the runtime in `folder` stands."""
    layout = Layout(folder)
    stored = read_state(layout)
    current = stored.current
    missing = _what_is_missing(layout, current) if current else ""
    busy = stored.state.is_busy and is_held(layout.lock)
    problem = MarigoldError.from_json(stored.problem) if stored.problem else None
    state = stored.state if busy else _resting_state(stored, missing)
    return RuntimeStatus(
        state=state,
        folder=folder,
        sentence=_sentence(layout, stored, state, missing, problem),
        python=current.python(layout) if current and not missing and state is not RuntimeState.BROKEN else None,
        python_version=current.python_version if current else "",
        accelerator=current.accelerator if current else "",
        device=current.device if current else "",
        versions=current.versions if current else None,
        bytes=current.bytes if current else 0,
        adopted=bool(current and current.adopted),
        outdated=_is_outdated(current),
        problem=problem,
        log=Path(stored.log) if stored.log else None,
    )


def _is_outdated(current: Environment | None) -> bool:
    return bool(current and not current.adopted and current.requirements != fingerprint())


def _what_is_missing(layout: Layout, current: Environment) -> str:
    """Why an environment that was verified cannot run any more; empty if it can."""
    if current.base and not Path(current.base).exists():  # before its own Python, which links to it
        return f"The Python it was made from, “{current.base}”, is gone (was that Blender removed?)"
    if not current.python(layout).exists():
        return f"“{current.python(layout)}” is no longer there"
    return ""


def _resting_state(stored: StateFile, missing: str) -> RuntimeState:
    if stored.current is None:
        return RuntimeState.ABSENT
    if missing or not stored.current.works:
        return RuntimeState.BROKEN
    return RuntimeState.READY


def _sentence(
    layout: Layout, stored: StateFile, state: RuntimeState, missing: str, problem: MarigoldError | None
) -> str:
    current = stored.current
    if state.is_busy:
        return f"An installer is at work in “{layout.folder}” ({state.value})."
    if current is None:
        return _why_absent(layout, stored, problem)
    if state is RuntimeState.BROKEN:
        why = missing or (problem.message if problem else "it failed its last check")
        return f"The runtime does not work: {why.rstrip('.')}. Install it again."
    where = f"in your own “{current.name}”" if current.adopted else gigabytes(current.bytes)
    parts = [f"Ready: torch {current.versions.get('torch')} on {current.device}, {where}.", current.note]
    if stored.state.is_busy:
        parts.append("The last update was interrupted; this one still works.")
    elif problem and problem.kind != "cancelled":
        parts.append(f"The last update failed and changed nothing: {problem.message}")
    elif _is_outdated(current):
        parts.append("An update is there for this version of the add-on.")
    return " ".join(part for part in parts if part)


def _why_absent(layout: Layout, stored: StateFile, problem: MarigoldError | None) -> str:
    if problem and problem.kind != "cancelled":
        return problem.message
    if stored.state is RuntimeState.REMOVING:
        return f"The runtime was not removed to the end: remove it again to empty “{layout.folder}”."
    if stored.state.is_busy or problem:
        return "The installation was interrupted: install again; what was downloaded is kept."
    return "The runtime is not installed."
