# SPDX-License-Identifier: GPL-3.0-or-later
"""The installer's command line: `python -m marigold_blender.runtime` and `marigold runtime`, without any dependency.

With `--events` it is the process that `installer` starts and polls; without, it talks to a person, and Ctrl-C cancels.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import MarigoldError
from ..parent_death import die_with
from ..worker.client.pipes import PipeClosedError
from ..worker.protocol import PROTOCOL
from .accelerators import ACCELERATORS
from .channel import Channel
from .folder import Layout, default_folder, make_ready
from .install import Run
from .install_log import InstallLog
from .lock import locked
from .plan import INSTALLERS, Options, make_plan
from .sizes import gigabytes
from .status import read_status

LOCK_WAIT_S = 20.0  # one that was cancelled is still deleting what it had
JOB = "runtime"
CANCELLED_EXIT = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sub-commands, for `marigold runtime` and for `main`."""
    actions = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    for name, text in (
        ("status", "say how the runtime stands"),
        ("plan", "say what an installation would do"),
        ("install", "install the runtime, or update it if its packages changed"),
        ("update", "make the runtime anew, beside the old one"),
        ("verify", "check that the runtime works, by running it"),
        ("adopt", "use an environment of your own"),
        ("remove", "delete the runtime"),
    ):
        action = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        action.add_argument("--folder", type=Path, default=None, metavar="DIR", help=f"default: {default_folder()}")
        action.add_argument("--json", action="store_true", help="print one JSON object")
        action.add_argument("--events", action="store_true", help=argparse.SUPPRESS)
        action.add_argument("--parent", type=int, default=0, help=argparse.SUPPRESS)
        if name in ("plan", "install", "update"):
            action.add_argument("--base-python", default="", metavar="PYTHON", help="the Python to make it from")
            action.add_argument("--accelerator", default="auto", choices=ACCELERATORS)
            action.add_argument("--installer", default="auto", choices=INSTALLERS)
            action.add_argument("--offline", action="store_true", help="only from folders that pip is set to")
        if name == "adopt":
            action.add_argument("environment", type=Path, help="its folder, or the Python in it")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m marigold_blender.runtime", description="The worker's own Python environment."
    )
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    """Do what was asked; the exit code."""
    options.folder = (options.folder or default_folder()).expanduser().absolute()
    return _for_client(options) if options.events else _for_person(options)


def _for_client(options: argparse.Namespace) -> int:
    if options.parent:
        die_with(options.parent)
    channel = Channel()
    hello = {"type": "hello", "protocol": PROTOCOL, "version": __version__, "pid": os.getpid(), "python": sys.version}
    channel.send(hello)

    def report(stage: str, done: int, total: int, unit: str, message: str, overall: float) -> None:
        update = {"stage": stage, "done": done, "total": total, "unit": unit, "message": message}
        channel.send({"type": "progress", "job": JOB, **update, "overall": round(overall, 4)})

    def answer(result: dict[str, Any] | MarigoldError) -> None:
        if isinstance(result, MarigoldError):
            channel.send({"type": "error", "job": JOB, "error": result.to_json()})
        else:
            channel.send({"type": "result", "job": JOB, "result": result})
        channel.finish()

    def note_log(path: Path | None) -> None:
        channel.send({"type": "log", "text": str(path or "")})

    try:
        return _act(options, report, channel.check, answer, note_log)
    except PipeClosedError:
        return 1  # the client is gone; the next run clears up


def _for_person(options: argparse.Namespace) -> int:
    line = Line()

    def report(stage: str, done: int, total: int, unit: str, message: str, overall: float) -> None:
        count = (
            f" {gigabytes(done)} of {gigabytes(total)}" if unit == "bytes" else f" {done} of {total}" if unit else ""
        )
        line.show(f"{overall:4.0%} {message}{count}")

    def answer(result: dict[str, Any] | MarigoldError) -> None:
        line.end()
        _print(options, result)

    interrupted: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: interrupted.append(number))

    def check() -> None:
        if interrupted:
            raise MarigoldError("cancelled", "Cancelled; what was downloaded is kept.")

    return _act(options, report, check, answer, lambda path: None)


def _act(options: argparse.Namespace, report: Any, check: Any, answer: Any, note_log: Any) -> int:
    """Do it, answer, and clear up after the answer, all while the folder is locked."""
    layout = Layout(options.folder)
    try:
        if options.action in ("status", "plan"):
            answer(_look(options))
            return 0
        if options.action in ("remove", "verify") and not layout.is_ours():
            raise MarigoldError("bad_input", f"There is no runtime in “{layout.folder}”.")
        make_ready(layout)

        def waiting() -> None:
            report("waiting", 0, 1, "", "Waiting for another installer to finish", 0.0)
            check()

        with locked(layout.lock, LOCK_WAIT_S, waiting):
            return _act_locked(options, layout, report, check, answer, note_log)
    except MarigoldError as error:
        answer(error)
        return CANCELLED_EXIT if error.kind == "cancelled" else 1


def _act_locked(
    options: argparse.Namespace, layout: Layout, report: Any, check: Any, answer: Any, note_log: Any
) -> int:
    log = InstallLog(layout, options.action)
    note_log(log.path)
    log.write(f"Marigold {__version__}: {options.action} in {layout.folder}, by {sys.executable} {sys.version}")
    work = Run(layout, report, check, log)
    code = 0
    try:
        if options.action in ("install", "update"):
            result = work.install(_options(options))
        elif options.action == "adopt":
            result = work.adopt(options.environment)
        else:
            result = work.verify() if options.action == "verify" else work.remove()
        answer(result)
    except MarigoldError as error:
        answer(error)
        code = CANCELLED_EXIT if error.kind == "cancelled" else 1
    except Exception as error:  # noqa: BLE001 - whatever it is, the user gets a sentence and the log the rest
        log.write(traceback.format_exc())
        answer(work.failed_unexpectedly(error, traceback.format_exc()))
        code = 1
    if options.action != "remove" or code:
        work.sweep()
    return code


def _look(options: argparse.Namespace) -> dict[str, Any]:
    if options.action == "plan":
        return {"plan": make_plan(_options(options)).to_json()}
    return {"status": read_status(options.folder).to_json(), "note": ""}


def _options(options: argparse.Namespace) -> Options:
    return Options(
        folder=options.folder,
        base_python=options.base_python,
        accelerator=options.accelerator,
        installer=options.installer,
        offline=options.offline,
        force=options.action == "update",
    )


def _print(options: argparse.Namespace, result: dict[str, Any] | MarigoldError) -> None:
    if isinstance(result, MarigoldError):
        if options.json:
            print(json.dumps({"ok": False, "error": result.to_json()}, ensure_ascii=False))
        print(result.message, file=sys.stderr)
        return
    if options.json:
        print(json.dumps({"ok": True, **result}, ensure_ascii=False))
        return
    if plan := result.get("plan"):
        print("\n".join(f"{number}. {step}" for number, step in enumerate(plan["steps"], 1)))
        print("\n".join(plan["notes"]), end="\n" if plan["notes"] else "")
        print(
            f"Download {gigabytes(plan['download_bytes'])}; {gigabytes(plan['disk_bytes'])} of disk are needed and "
            f"{gigabytes(plan['free_bytes'])} are free."
        )
        return
    status = result["status"]
    print(" ".join(text for text in (result["note"], status["sentence"]) if text))
    for name in ("folder", "python", "log"):
        if status[name]:
            print(f"{name:8}{status[name]}")


class Line:
    """One line on a terminal that is written over; nothing where stderr is a file."""

    def __init__(self) -> None:
        self._shows = sys.stderr.isatty()
        self._shown_at = 0.0

    def show(self, text: str) -> None:
        if self._shows and time.monotonic() - self._shown_at > 0.1:
            self._shown_at = time.monotonic()
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._shows:
            with contextlib.suppress(OSError):
                print("\r\x1b[K", end="", file=sys.stderr, flush=True)
