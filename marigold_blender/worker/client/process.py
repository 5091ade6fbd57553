# SPDX-License-Identifier: GPL-3.0-or-later
"""One worker process from its start to its death, spoken to without ever waiting. Used by `jobs.JobQueue`."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import MarigoldError
from ..protocol import PROTOCOL, Message, decode, encode
from .lifetime import popen_options, tie_to_us
from .pipes import PipeClosedError, open_pipes

PACKAGE_PARENT = Path(__file__).resolve().parents[3]
# path[0] is the current folder: what lies in a user's folder must not shadow the worker's modules
LAUNCH = "import sys; sys.path[0] = sys.argv[1]; from marigold_blender.worker.server.main import main; main()"
LOG_TAIL_BYTES = 4000
LOG_KEEP_BYTES = 1_000_000


@dataclass(frozen=True)
class WorkerConfig:
    """Where and in what a worker runs.

    Attributes:
        python: interpreter that has torch and diffusers.
        cache: folder for results, jobs and logs.
        online: whether the worker may use the network (Blender's *Allow Online Access*); may change while it runs.
        environment: what else is set, as environment variables: device, precision, folders.
    """

    python: Path
    cache: Path
    online: bool = False
    environment: tuple[tuple[str, str], ...] = ()

    def needs_another_worker_than(self, other: WorkerConfig) -> bool:
        """Whether a worker that was started with `other` cannot serve this."""
        return replace(self, online=other.online) != other


class Worker:
    """A running worker process.

    Raises:
        MarigoldError: the interpreter is not there or cannot be started (`no_runtime`), or the log cannot be written
            (`cannot_write`).
    """

    def __init__(self, config: WorkerConfig) -> None:
        self.config = config
        self.started_at = time.monotonic()
        self.ready = False
        self.served = False  # whether it has finished a job
        self.has_computed = False  # whether it was given something to compute: it may hold a model
        self.ended_by_us = False
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._closed = False
        self.log_path = config.cache / "logs" / "worker.log"
        log = _open_log(self.log_path)
        self._log_start = log.tell()
        try:
            self.process = subprocess.Popen(
                [str(config.python), "-B", "-X", "utf8", "-c", LAUNCH, str(PACKAGE_PARENT), str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=config.cache,
                env=_environment(config),
                bufsize=0,
                **popen_options(),
            )
        except OSError as error:
            raise MarigoldError(
                "no_runtime",
                f"The worker's Python “{config.python}” cannot be started ({error.strerror or error}): "
                "choose another in the add-on's preferences.",
                fix="preferences.addon_show",
            ) from error
        finally:
            log.close()
        assert self.process.stdout is not None
        assert self.process.stdin is not None
        self._job_object = tie_to_us(self.process)
        self._pipes = open_pipes(self.process.stdout, self.process.stdin)
        self.send({"type": "hello", "protocol": PROTOCOL})
        self._online = False
        self.set_online(config.online)

    def set_online(self, online: bool) -> None:
        """Let the worker use the network, or stop it at once."""
        if online != self._online:
            self._online = online
            self.send({"type": "online", "allowed": online})

    def send(self, message: Message) -> None:
        """Queue a message; it leaves at once if the pipe has room, else with the next `receive`."""
        self._outgoing += encode(message)
        self._flush()

    def receive(self) -> list[Message]:
        """The messages that have arrived; empty when none has. Never waits."""
        self._flush()
        messages: list[Message] = []
        while not self._closed:
            try:
                data = self._pipes.read()
            except PipeClosedError:
                self._closed = True
                break
            if not data:
                break
            self._incoming += data
        while (end := self._incoming.find(b"\n")) >= 0:
            line = bytes(self._incoming[:end])
            del self._incoming[: end + 1]
            messages.append(decode(line))
        for message in messages:
            if message["type"] == "hello":
                self.ready = message["protocol"] == PROTOCOL
        return messages

    def is_alive(self) -> bool:
        """False once the process has ended or its pipe is closed and everything it said has been received."""
        return not self._closed and (self.process.poll() is None or bool(self._incoming))

    def log_tail(self) -> str:
        """The last lines that this worker wrote to its log."""
        try:
            with self.log_path.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(self._log_start, size - LOG_TAIL_BYTES))
                return log.read().decode("utf-8", errors="replace").strip()
        except OSError:
            return ""

    def stop(self, grace_s: float = 0.0) -> None:
        """Ask the worker to exit, kill it after `grace_s` seconds, and leave no zombie."""
        self.send({"type": "shutdown"})
        self._close_pipe(self.process.stdin)
        try:
            self.process.wait(timeout=grace_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._close_pipe(self.process.stdout)
        self._closed = True

    def _flush(self) -> None:
        while self._outgoing and not self._closed:
            try:
                written = self._pipes.write(bytes(self._outgoing))
            except PipeClosedError:
                return  # what it last said is still to be read; its death shows there
            if not written:
                return
            del self._outgoing[:written]

    @staticmethod
    def _close_pipe(pipe: object) -> None:
        with contextlib.suppress(OSError):  # a broken pipe is as closed as it gets
            pipe.close()  # type: ignore[attr-defined]


def _open_log(path: Path):  # type: ignore[no-untyped-def]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > LOG_KEEP_BYTES:
            path.replace(path.with_suffix(".old.log"))
        return path.open("ab")
    except OSError as error:
        raise MarigoldError(
            "cannot_write",
            f"The cache folder “{path.parent.parent}” is not writable ({error.strerror}): choose another.",
            fix="preferences.addon_show",
        ) from error


def _environment(config: WorkerConfig) -> dict[str, str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP")}
    environment |= dict(config.environment)
    environment["MARIGOLD_CACHE"] = str(config.cache)
    environment["HF_HUB_DISABLE_XET"] = "1"
    environment["HF_HUB_DISABLE_TELEMETRY"] = "1"
    # no library goes to the network by itself: the worker's downloads ask for leave (`server.permission`)
    environment["HF_HUB_OFFLINE"] = "1"
    return environment
