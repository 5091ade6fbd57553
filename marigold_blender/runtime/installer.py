# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the installer and follows it without ever waiting: for operators, panels and tests.

    job = start_install(default_folder(), accelerator="auto")
    while not job.poll().is_over: ...        # from a timer; takes well under a millisecond
    job = start_install(folder); job.wait()  # from a script

The installer ends when its client does, and what it had not finished is cleared up by the next one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import MarigoldError
from ..worker.client.job import JobState
from ..worker.client.lifetime import popen_options, tie_to_us
from ..worker.client.pipes import PipeClosedError, open_pipes
from ..worker.protocol import Message, decode, encode
from .process_tree import kill_tree
from .time_left import TimeLeft

PACKAGE_PARENT = Path(__file__).resolve().parents[2]
LAUNCH = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from marigold_blender.runtime.command import main; sys.exit(main())"
)
CANCEL_GRACE_S = 4.0  # an installer that has not obeyed within this is killed
CLEAR_UP_GRACE_S = 60.0  # after its answer it still deletes gigabytes
WAIT_STEP_S = 0.02
DETAIL_BYTES = 4000


class InstallerJob:
    """One run of the installer.

    Attributes:
        action: install, update, verify, adopt, remove or plan.
        state: RUNNING, CANCELLING, then DONE, FAILED or CANCELLED.
        stage: checking, creating, downloading, installing, verifying, removing.
        message: what is being done, for the user.
        done, total, unit: how much of it; the unit is bytes, packages, % or empty.
        overall: share of the whole that is done, 0..1.
        seconds_left: about how long it will still take; None while that cannot be told.
        result: the answer, once DONE: `status` (see `RuntimeStatus.to_json`) or `plan` (see `Plan.to_json`), `note`.
        error: why it FAILED.
        log: the log's path, once it is known.

    Raises:
        MarigoldError: the installer cannot be started (`no_runtime`).
    """

    def __init__(self, action: str, folder: Path, arguments: list[str], runner: str = "") -> None:
        self.action, self.folder = action, folder
        self.state = JobState.RUNNING
        self.stage, self.message, self.unit = "starting", "Starting the installer", ""
        self.done, self.total, self.overall = 0, 0, 0.0
        self.seconds_left: float | None = None
        self.result: dict[str, Any] | None = None
        self.error: MarigoldError | None = None
        self.log: Path | None = None
        self._time_left = TimeLeft()
        self._incoming, self._outgoing = bytearray(), bytearray()
        self._asked_at = self._answered_at = 0.0
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        runner = runner or sys.executable
        command = [runner, "-I", "-B", "-X", "utf8", "-c", LAUNCH, str(PACKAGE_PARENT), action]
        command += ["--folder", str(folder), "--events", "--parent", str(os.getpid()), *arguments]
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._printed,
                bufsize=0,
                **popen_options(),
            )
        except OSError as error:
            self._printed.close()
            raise MarigoldError(
                "no_runtime",
                f"The installer's Python “{runner}” cannot be started ({error.strerror or error}): choose another as "
                "Base Python in the add-on's preferences.",
                fix="preferences.addon_show",
            ) from error
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._job_object = tie_to_us(self.process)
        self._pipes = open_pipes(self.process.stdout, self.process.stdin)

    @property
    def is_running(self) -> bool:
        """Whether the process is still there: after its answer it clears up."""
        return self.process.poll() is None

    def poll(self) -> JobState:
        """Take what the installer has said; the state. Never waits; call it until the process has ended too."""
        ended = not self.is_running  # looked at first: what it said last is still read
        try:
            for message in self._receive():
                self._apply(message)
        except ValueError as error:
            self._end(JobState.FAILED, MarigoldError("internal", "The installer sent rubbish.", details=str(error)))
            self.kill()
        now = time.monotonic()
        if not self.state.is_over and ended:
            self._end_without_answer()
        elif self.state is JobState.CANCELLING and now - self._asked_at > CANCEL_GRACE_S:
            self.kill()
            self._end(JobState.CANCELLED)
        elif self.state.is_over and not ended and now - self._answered_at > CLEAR_UP_GRACE_S:
            self.kill()
        self.seconds_left = None if self.state.is_over else self._time_left.seconds(now)
        return self.state

    def cancel(self) -> None:
        """Ask it to stop: it does so at once; the runtime that was there before is unchanged."""
        if self.state is JobState.RUNNING:
            self.state, self.message = JobState.CANCELLING, "Cancelling"
            self._asked_at = time.monotonic()
            self._outgoing += encode({"type": "cancel", "job": "runtime"})
            self._flush()

    def kill(self) -> None:
        """End it and everything it has started, now."""
        kill_tree(self.process, self._job_object)
        if not self.state.is_over:
            self._end(JobState.CANCELLED)

    def wait(self, on_change: Callable[[InstallerJob], None] | None = None) -> dict[str, Any]:
        """Block until it is over and has cleared up; the result. For scripts: a window polls instead.

        Raises:
            MarigoldError: it failed or was cancelled.
        """
        try:
            while not self.poll().is_over or self.is_running:
                if on_change:
                    on_change(self)
                time.sleep(WAIT_STEP_S)
        except KeyboardInterrupt:
            self.kill()
            raise
        if self.error:
            raise self.error
        if self.result is None:
            raise MarigoldError("cancelled", "The installation was cancelled.")
        return self.result

    def _receive(self) -> list[Message]:
        self._flush()
        while True:
            try:
                data = self._pipes.read()
            except PipeClosedError:
                break
            if not data:
                break
            self._incoming += data
        *lines, rest = self._incoming.split(b"\n")
        self._incoming = bytearray(rest)
        return [decode(bytes(line)) for line in lines]

    def _apply(self, message: Message) -> None:
        kind = message["type"]
        if self.state.is_over:
            return
        if kind == "progress" and self.state is JobState.RUNNING:
            self.stage, self.message, self.unit = message["stage"], message["message"], message["unit"]
            self.done, self.total = message["done"], message["total"]
            self.overall = max(self.overall, message["overall"])
            self._time_left.note(time.monotonic(), self.overall)
        elif kind == "log" and message["text"]:
            self.log = Path(message["text"])
        elif kind == "result":
            self.result, self.overall = message["result"], 1.0
            self._end(JobState.DONE)
        elif kind == "error":
            error = MarigoldError.from_json(message["error"])
            self._end(JobState.CANCELLED if error.kind == "cancelled" else JobState.FAILED, error)

    def _end_without_answer(self) -> None:
        if self.state is JobState.CANCELLING:
            self._end(JobState.CANCELLED)
            return
        code = self.process.returncode
        how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        self._printed.seek(0)
        printed = self._printed.read().decode("utf-8", errors="replace")[-DETAIL_BYTES:]
        message = f"The installer {how} while {self.stage}: start it again; nothing that was ready is lost."
        self._end(
            JobState.FAILED, MarigoldError("worker_died", message, fix="marigold.install_runtime", details=printed)
        )

    def _end(self, state: JobState, error: MarigoldError | None = None) -> None:
        self.state = state
        self.message = {JobState.DONE: "Done", JobState.CANCELLED: "Cancelled"}.get(state, "Failed")
        self.error = error if state is JobState.FAILED else None
        self._answered_at = time.monotonic()

    def _flush(self) -> None:
        try:
            while self._outgoing and (written := self._pipes.write(bytes(self._outgoing))):
                del self._outgoing[:written]
        except PipeClosedError:
            self._outgoing.clear()  # its end shows in `poll`


def start_plan(folder: Path, **options: Any) -> InstallerJob:
    """Find out what an installation would do; options as for `start_install`."""
    return InstallerJob("plan", folder, _arguments(**options), options.get("runner", ""))


def start_install(folder: Path, **options: Any) -> InstallerJob:
    """Install or update the runtime.

    Args:
        base_python: the Python to make it from; empty: the runner, else one that is found.
        accelerator: auto, cpu, cuda, rocm, mps or xpu.
        installer: auto, pip or uv.
        online: False: nothing is sent; packages come only from folders that pip is set to.
        force: make it anew though it is ready.
        runner: the Python that runs the installer; empty: `sys.executable`, which in Blender is Blender's own.
    """
    action = "update" if options.get("force") else "install"
    return InstallerJob(action, folder, _arguments(**options), options.get("runner", ""))


def start_verify(folder: Path, runner: str = "") -> InstallerJob:
    """Check that the runtime works, by running it."""
    return InstallerJob("verify", folder, [], runner)


def start_adopt(folder: Path, environment: Path, runner: str = "") -> InstallerJob:
    """Use an environment of the user's own, named by its folder or its Python, as the runtime of `folder`."""
    return InstallerJob("adopt", folder, [str(environment)], runner)


def start_remove(folder: Path, runner: str = "") -> InstallerJob:
    """Delete the runtime."""
    return InstallerJob("remove", folder, [], runner)


def _arguments(
    *,
    base_python: str = "",
    accelerator: str = "auto",
    installer: str = "auto",
    online: bool = True,
    force: bool = False,
    runner: str = "",
) -> list[str]:
    named = ["--base-python", base_python] if base_python else []
    return [*named, "--accelerator", accelerator, "--installer", installer, *([] if online else ["--offline"])]
