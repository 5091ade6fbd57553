# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a program for the installer: its output line by line, stopped at once when asked. Used by `build`.

The program never outlives the installer: Linux kills it with its parent, Windows with the job object, elsewhere the
client kills the whole process group.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from ..parent_death import die_with
from ..worker.client.lifetime import CREATE_NO_WINDOW, tie_to_us
from ..worker.client.pipes import PipeClosedError, open_pipes

STEP_S = 0.05
TAIL_LINES = 400


def run(
    command: list[str],
    environment: Mapping[str, str],
    folder: Path,
    on_line: Callable[[str], None],
    on_step: Callable[[], None],
) -> tuple[int, str]:
    """Run a program to its end; its exit code and the last lines it printed.

    Args:
        folder: its current folder.
        on_line: gets each line of its output, stdout and stderr together.
        on_step: called twenty times a second; the program is killed if this raises.
    """
    us = os.getpid()
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(environment),
        cwd=folder,
        bufsize=0,
        creationflags=CREATE_NO_WINDOW if sys.platform == "win32" else 0,
        preexec_fn=(lambda: die_with(us)) if sys.platform == "linux" else None,
    )
    job = tie_to_us(process)
    assert process.stdin is not None
    assert process.stdout is not None
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    pending = bytearray()
    try:
        pipes = open_pipes(process.stdout, process.stdin)
        process.stdin.close()  # nobody is there to answer a question
        while True:
            ended = process.poll() is not None  # looked at first: what it wrote last is still read
            try:
                data = pipes.read()
            except PipeClosedError:
                break
            if not data:
                if ended:
                    break  # something that it started holds the pipe open
                on_step()
                time.sleep(STEP_S)
                continue
            pending += data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            *lines, rest = pending.split(b"\n")
            pending = bytearray(rest)
            for line in lines:
                text = line.decode("utf-8", errors="replace")
                tail.append(text)
                on_line(text)
            on_step()
        code = process.wait()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
        del job
    if pending:
        tail.append(pending.decode("utf-8", errors="replace"))
        on_line(tail[-1])
    return code, "\n".join(tail)
