# SPDX-License-Identifier: GPL-3.0-or-later
"""The runtime's state on disk: one small file, replaced as a whole. Written by `install`, read by `status`.

It names the environment that works (`current`) apart from the one being made (`building`), so that a kill at any
moment leaves either the old state or the new one: what is not `current` is never used and is deleted by the next run.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

from ..errors import MarigoldError
from .folder import Layout, python_of

FORMAT = 1


class RuntimeState(Enum):
    ABSENT = "absent"
    CHECKING = "checking"
    INSTALLING = "installing"
    VERIFYING = "verifying"
    READY = "ready"
    BROKEN = "broken"
    UPDATING = "updating"
    REMOVING = "removing"

    @property
    def is_busy(self) -> bool:
        return self not in (RuntimeState.ABSENT, RuntimeState.READY, RuntimeState.BROKEN)


@dataclass(frozen=True)
class Environment:
    """An environment that was verified.

    Attributes:
        name: its folder inside the runtime's, or the whole path of the Python of an adopted one.
        base: the Python that it was made from and still needs; empty if adopted.
        build: torch's build: cpu, cu130, …
        device: what torch computed on when it was verified.
        requirements: fingerprint of the pinned requirements it was made from.
        note: what the user should know though it works, such as an old driver.
        works: False once a later check has failed.
    """

    name: str
    adopted: bool = False
    base: str = ""
    python_version: str = ""
    accelerator: str = ""
    build: str = ""
    device: str = ""
    versions: dict[str, str | None] = field(default_factory=dict)
    bytes: int = 0
    requirements: str = ""
    verified_at: float = 0.0
    note: str = ""
    works: bool = True

    def python(self, layout: Layout) -> Path:
        return Path(self.name) if self.adopted else python_of(layout.environment(self.name))


@dataclass(frozen=True)
class StateFile:
    """What stands in the file.

    Attributes:
        state: the phase that was last entered.
        problem: why the last run failed, as `MarigoldError.to_json`.
        log: path of the last run's log.
    """

    state: RuntimeState = RuntimeState.ABSENT
    current: Environment | None = None
    building: str = ""
    problem: dict[str, Any] | None = None
    log: str = ""
    since: float = 0.0

    def entering(self, state: RuntimeState, **changes: Any) -> StateFile:
        return replace(self, state=state, since=time.time(), **changes)


def read_state(layout: Layout) -> StateFile:
    """What stands on disk; an unreadable or foreign file counts as none: a runtime is always made anew from nothing."""
    try:
        data = json.loads(layout.state.read_text(encoding="utf-8"))
        if data.pop("format") != FORMAT:
            return StateFile()
        current = data.pop("current")
        return StateFile(
            **{**data, "state": RuntimeState(data["state"]), "current": Environment(**current) if current else None}
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return StateFile()


def write_state(layout: Layout, state: StateFile) -> StateFile:
    """Replace the file; what was written is returned.

    Raises:
        MarigoldError: it cannot be written (`cannot_write`).
    """
    data = {"format": FORMAT, **asdict(state), "state": state.state.value}
    beside = layout.state.with_suffix(".new")
    try:
        with beside.open("w", encoding="utf-8") as file:
            json.dump(data, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        _replace(beside, layout.state)
    except OSError as error:
        raise MarigoldError(
            "cannot_write",
            f"The runtime folder “{layout.folder}” is not writable ({error.strerror}): free space there or choose "
            "another folder.",
            fix="preferences.addon_show",
        ) from error
    return state


def _replace(source: Path, target: Path) -> None:
    """Windows refuses while a virus scanner or a reading Blender has the target open: that passes."""
    for attempt in range(20):
        try:
            source.replace(target)
            return
        except PermissionError:
            if os.name != "nt" or attempt == 19:
                raise
            time.sleep(0.05)
