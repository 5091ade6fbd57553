# SPDX-License-Identifier: GPL-3.0-or-later
"""One side of the comparison in a process of its own, so that its memory is its own. Called by `measures`.

Importing this is light: torch is imported in the child.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from ..errors import MarigoldError
from ..parent_death import die_with

STOP_S = 5.0


class SideProcess:
    """A child that loads `folder` and then does what it is asked, one thing after the other.

    Raises, from `ask`: the MarigoldError of the child; `worker_died` if it is gone.
    """

    def __init__(self, kind: Literal["ours", "stock"], folder: Path, cache: Path) -> None:
        self._kind = kind
        spawning = multiprocessing.get_context("spawn")  # a forked torch may hang
        self._connection, theirs = spawning.Pipe()
        self._started = time.perf_counter()
        self._process = spawning.Process(target=_serve, args=(theirs, os.getpid(), kind, folder, cache), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def __enter__(self) -> SideProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        self._process.join(0.0 if kind else STOP_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def ask(self, work: str, *, whole_life: bool = False, **arguments: Any) -> dict[str, float]:
        """Have `work` done: its `seconds`, `processor_seconds` and `peak_mib`.

        Args:
            whole_life: count from the start of the process, loading and all.
            arguments: of the method `work` of `sides.Side`.
        """
        try:
            self._connection.send((work, arguments, whole_life))
            answer: dict[str, Any] = self._connection.recv()
        except (EOFError, OSError) as error:
            self._process.join(STOP_S)
            raise MarigoldError(
                "worker_died",
                f"The process of “{self._kind}” ended by itself (exit code {self._process.exitcode}): it may have run "
                "out of memory, so close other programs or measure a smaller --model.",
            ) from error
        if "error" in answer:
            raise MarigoldError.from_json(answer["error"])
        if whole_life:
            answer["seconds"] = time.perf_counter() - self._started
        return answer


def _serve(connection: Connection, parent: int, kind: str, folder: Path, cache: Path) -> None:
    """The child: answers until the other end is closed."""
    die_with(parent)
    os.environ["MARIGOLD_CACHE"] = str(cache)
    side = None
    while True:
        try:
            work, arguments, whole_life = connection.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            from .sides import SIDES, timed

            if side is None:
                side = SIDES[kind](folder)
            connection.send(timed(side, work, arguments, whole_life=whole_life))
        except MarigoldError as error:
            connection.send({"error": error.to_json()})
        except KeyboardInterrupt:
            return
        except MemoryError as error:
            connection.send({"error": _out_of_memory(kind, error).to_json()})
        except RuntimeError as error:
            from ..estimation.devices import is_out_of_memory

            if not is_out_of_memory(error):
                raise
            connection.send({"error": _out_of_memory(kind, error).to_json()})


def _out_of_memory(kind: str, error: BaseException) -> MarigoldError:
    return MarigoldError(
        "out_of_memory",
        f"“{kind}” does not fit into memory: close other programs, or measure a smaller --model.",
        details=str(error),
    )
