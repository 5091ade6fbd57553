# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs, updates, verifies, adopts and removes the runtime, so that a kill at any moment is recovered.

Called by `command`, in the installer's process, which holds the folder's lock. The new environment is made beside the
old one, verified, and only then named `current` by replacing one small file; what that file does not name is swept
away by the run itself or, if it was killed, by the next.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import MarigoldError
from .build import Builder
from .folder import Layout, delete, python_of, size_of
from .install_log import InstallLog
from .plan import Options, Plan, check_space, make_plan
from .requirements import fingerprint
from .sizes import gigabytes
from .state import Environment, RuntimeState, StateFile, read_state, write_state
from .status import read_status
from .verify import check_environment

# The shares of the whole time; building is what lies between.
CHECKING_END, BUILDING_END = 0.03, 0.85
REMOVED_AT_ONCE = 200  # files, for each report
# report(stage, done, total, unit, message, share of the whole that is done)
Report = Callable[[str, int, int, str, str, float], None]


class Run:
    """One run of the installer in a folder that it has locked.

    Args:
        check: called often; raises to stop.
    """

    def __init__(self, layout: Layout, report: Report, check: Callable[[], None], log: InstallLog) -> None:
        self._layout = layout
        self._report, self._check, self._log = report, check, log
        self._stored = read_state(layout)

    def install(self, options: Options) -> dict[str, Any]:
        """Make the runtime ready; what is ready already is left alone, unless forced.

        Raises:
            MarigoldError: it failed or was cancelled; what was ready before still is.
        """
        if not options.force and self._is_as_wished(options):
            return self._answer("It was installed already.")
        with self._on_failure():
            self._enter(RuntimeState.CHECKING)
            self._report("checking", 0, 1, "", "Looking at this computer", 0.0)
            self.sweep()
            plan = make_plan(options)
            check_space(plan)
            for line in (*plan.steps, *plan.notes):
                self._log.write(line)
            environment = self._layout.new_environment()
            building = RuntimeState.UPDATING if self._stored.current else RuntimeState.INSTALLING
            self._enter(building, building=environment.name)
            Builder(plan, environment, self._report_build, self._check, self._log).build()
            made = self._verified(environment, plan)
            self._stored = write_state(
                self._layout, self._stored.entering(RuntimeState.READY, current=made, building="", problem=None)
            )
        delete(self._layout.downloads)
        return self._answer("")

    def verify(self) -> dict[str, Any]:
        """Check again that the runtime works; it counts as broken from now on if it does not.

        Raises:
            MarigoldError: there is none, it does not work, or this was cancelled.
        """
        current = self._stored.current
        if current is None:
            raise MarigoldError("no_runtime", "The runtime is not installed.", fix="marigold.install_runtime")
        with self._on_failure():
            self._enter(RuntimeState.VERIFYING)
            try:
                facts = self._facts(current.python(self._layout), current.accelerator, 0.0)
            except MarigoldError as error:
                if error.kind != "cancelled":
                    self._stored = replace(self._stored, current=replace(current, works=False))
                raise
            checked = replace(current, **facts, works=True, verified_at=time.time())
            self._stored = write_state(
                self._layout, self._stored.entering(RuntimeState.READY, current=checked, problem=None)
            )
        return self._answer("")

    def adopt(self, named: Path) -> dict[str, Any]:
        """Use an environment that the user made: a folder or its Python. Nothing in it is ever changed.

        Raises:
            MarigoldError: it is none, or does not work.
        """
        python = python_of_adopted(named)
        with self._on_failure():
            self._enter(RuntimeState.VERIFYING)
            facts = self._facts(python, "", 0.0)
            adopted = Environment(str(python), adopted=True, verified_at=time.time(), **facts)
            self._stored = write_state(
                self._layout, self._stored.entering(RuntimeState.READY, current=adopted, problem=None)
            )
        return self._answer("")

    def remove(self) -> dict[str, Any]:
        """Delete everything but files of others; an adopted environment is only forgotten.

        Raises:
            MarigoldError: something cannot be deleted now (`cannot_write`).
        """
        freed = size_of(self._layout.folder)
        total = sum(len(files) for _, _, files in os.walk(self._layout.folder))
        done = itertools.count(1)

        def on_file() -> None:
            if (number := next(done)) % REMOVED_AT_ONCE == 0:
                self._report("removing", number, total, "files", "Removing the runtime", number / total)

        self._report("removing", 0, total, "files", "Removing the runtime", 0.0)
        self._stored = write_state(
            self._layout, StateFile().entering(RuntimeState.REMOVING, log=str(self._log.path or ""))
        )
        self.sweep(on_file)
        layout = self._layout
        for path in (layout.downloads, layout.temporary):
            delete(path, on_file)
        if left := layout.environments():
            raise MarigoldError(
                "cannot_write",
                f"“{left[0]}” is in use: end the worker with Free Memory in every open Blender, then remove again.",
                fix="marigold.free_memory",
            )
        self._log.close()
        # the state last but the lock: what is left after a kill is still known as ours
        for path in (layout.logs, layout.folder / "README.txt", layout.state, layout.lock):
            delete(path)
        with contextlib.suppress(OSError):  # not empty: the user keeps something there
            layout.folder.rmdir()
        return self._answer(f"{gigabytes(freed)} freed.")

    def failed_unexpectedly(self, error: Exception, trace: str) -> MarigoldError:
        """A fault that no part foresaw, told and noted like any other failure."""
        fault = MarigoldError(
            "internal",
            f"The installer stopped on an unexpected fault ({type(error).__name__}: {error}): please report it with "
            "the log.",
            details=trace,
        )
        with contextlib.suppress(MarigoldError), self._on_failure():
            raise fault
        return fault

    def sweep(self, on_file: Callable[[], None] = lambda: None) -> None:
        """Delete what a run before left: environments that are not the current one, and temporary files."""
        current = self._stored.current
        for environment in self._layout.environments():
            if current is None or environment.name != current.name:
                delete(environment, on_file)
        delete(self._layout.temporary)
        with contextlib.suppress(OSError):
            self._layout.temporary.mkdir(exist_ok=True)

    def _is_as_wished(self, options: Options) -> bool:
        status = read_status(self._layout.folder)
        current = self._stored.current
        return bool(
            current
            and status.python
            and not current.adopted
            and not status.outdated
            and options.accelerator in ("auto", current.accelerator)
            and (not options.base_python or Path(options.base_python).resolve() == Path(current.base).resolve())
        )

    def _verified(self, environment: Path, plan: Plan) -> Environment:
        self._enter(RuntimeState.VERIFYING)
        facts = self._facts(python_of(environment), plan.build.accelerator, BUILDING_END, plan.build.device)
        return Environment(
            name=environment.name,
            base=str(plan.base.executable),
            build=plan.build.tag,
            bytes=size_of(environment),
            requirements=fingerprint(),
            verified_at=time.time(),
            note=plan.build.note,
            **facts,
        )

    def _facts(self, python: Path, accelerator: str, start: float, device: str = "") -> dict[str, Any]:
        """What running it told, as fields of `Environment`."""

        def report(message: str, share: float) -> None:
            self._report("verifying", round(100 * share), 100, "%", message, start + (1 - start) * share)

        facts = check_environment(python, self._layout, device, report, self._check)
        self._log.write(f"It works: {facts}")
        return {
            "python_version": facts.python_version,
            "accelerator": accelerator,
            "device": facts.device,
            "versions": facts.versions,
        }

    def _enter(self, state: RuntimeState, building: str = "") -> None:
        building = building or self._stored.building
        self._stored = write_state(
            self._layout,
            self._stored.entering(state, building=building, problem=None, log=str(self._log.path or "")),
        )

    def _report_build(self, stage: str, done: int, total: int, unit: str, message: str, share: float) -> None:
        overall = CHECKING_END + (BUILDING_END - CHECKING_END) * share
        self._report(stage, done, total, unit, message, overall)

    @contextlib.contextmanager
    def _on_failure(self):  # type: ignore[no-untyped-def]
        """Back to what was there before, with the reason noted."""
        before = self._stored
        try:
            yield
        except MarigoldError as error:
            self._log.write(f"{error.kind}: {error.message}")
            current = self._stored.current
            works = current is not None and current.works
            state = RuntimeState.READY if works else RuntimeState.BROKEN if current else RuntimeState.ABSENT
            failed = replace(before, current=current).entering(
                state, building="", problem=error.to_json(), log=str(self._log.path or "")
            )
            with contextlib.suppress(MarigoldError):  # the disk is full: the old file stands, and counts as interrupted
                write_state(self._layout, failed)
            self._stored = failed
            raise

    def _answer(self, note: str) -> dict[str, Any]:
        return {"status": read_status(self._layout.folder).to_json(), "note": note}


def python_of_adopted(named: Path) -> Path:
    """The interpreter that a user meant by a folder or a file.

    Raises:
        MarigoldError: there is none (`bad_input`).
    """
    named = named.expanduser().absolute()
    for candidate in (named, python_of(named), named / "python.exe", named / "bin/python3"):
        if candidate.is_file():
            return candidate
    raise MarigoldError(
        "bad_input",
        f"There is no Python in “{named}”: choose the folder of an environment (it has bin or Scripts in it), or its "
        "Python itself.",
        fix="preferences.addon_show",
    )
