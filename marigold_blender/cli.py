# SPDX-License-Identifier: GPL-3.0-or-later
"""The `marigold` command: the worker's tasks from a terminal or a render farm, without Blender.

Exit code 0 only on success; `--json` prints one object on stdout; everything for people goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from . import __version__
from .clip_paths import is_clip
from .errors import MarigoldError
from .progress_line import ProgressLine
from .settings_arguments import add_settings_arguments, settings_of

CANCELLED_EXIT = 130
PIPE_CLOSED_EXIT = 141  # as if by SIGPIPE, which would also strike where a download's socket closes


def main(arguments: list[str] | None = None) -> int:
    """Run the command; its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser(arguments[0] if arguments else "").parse_args(arguments)
    try:
        code = int(options.run_command(options))
        sys.stdout.flush()
        return code
    except MarigoldError as error:
        _fail(error, options.json)
        return CANCELLED_EXIT if error.kind == "cancelled" else 1
    except KeyboardInterrupt:
        _fail(MarigoldError("cancelled", "Cancelled."), options.json)
        return CANCELLED_EXIT
    except BrokenPipeError:  # `marigold … | head` ends like any other command
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python itself still flushes
        return PIPE_CLOSED_EXIT
    except ImportError as error:
        message = f"This Python has no usable {error.name}: install it into {sys.prefix}."
        _fail(MarigoldError("no_runtime", message), options.json)
        return 1


def estimate(options: argparse.Namespace) -> int:
    """`marigold estimate`: every photo and clip is tried; the exit code is 0 only if all came out."""
    settings = settings_of(options)
    _quieten_libraries()
    from .worker.server.clip_job import ClipRequest, run_clip
    from .worker.server.estimate_job import EstimateRequest, run_estimate
    from .worker.server.progress import SHARES, Progress

    results: list[dict[str, Any]] = []
    failures: list[dict[str, Any]] = []
    for photo, name in zip(options.photos, unique_names(options.photos), strict=True):
        line = ProgressLine(photo)
        written: list[str]
        try:
            if is_clip(Path(photo)):
                progress = Progress(line.show, SHARES["estimate_clip"])
                asked = ClipRequest(photo, options.output, settings, steady=not options.independent)
                clip = run_clip(asked, progress, lambda: False)
                result, written = clip.to_json(), [clip.record]
            else:
                request = EstimateRequest(photo, name, options.output, settings)
                estimated = run_estimate(request, Progress(line.show), lambda: False)
                result, written = estimated.to_json(), list(estimated.files.values())
        except MarigoldError as error:
            line.end()
            failures.append({"photo": photo, "error": error.to_json()})
            print(f"{photo}: {error.message}", file=sys.stderr)
            continue
        line.end()
        results.append(result)
        if not options.json:
            for path in written:
                if Path(path) != Path(photo):  # shown by Blender as it is: nothing was written
                    print(path)
    if options.json:
        print(json.dumps({"ok": not failures, "results": results, "failures": failures}, ensure_ascii=False))
    return 1 if failures else 0


def doctor(options: argparse.Namespace) -> int:
    """`marigold doctor`: what the worker would run in, and what is wrong with it."""
    _quieten_libraries()
    from .worker.server.doctor import examine

    findings = examine()
    if options.json:
        print(json.dumps(findings, ensure_ascii=False))
    else:
        for name in ("marigold_blender", "python", "executable", "platform", "cache"):
            print(f"{name:18}{findings[name]}")
        for group in ("device", "libraries"):
            for name, value in findings[group].items():
                print(f"{name:18}{value}")
        for name, model in findings["models"].items():
            print(f"model {name:12}{model['steps']} steps, {model['resolution']} px, {model['folder']}")
        print("\n".join(findings["problems"]) or "All is well.")
    return 0 if findings["ok"] else 1


def _benchmark(options: argparse.Namespace) -> int:
    _quieten_libraries()
    from .benchmark import command

    return command.run(options)


def unique_names(photos: list[str]) -> list[str]:
    """A stem for each photo's files; a stem that was there before gets a number."""
    names: list[str] = []
    for photo in photos:
        stem = name = Path(photo).stem or "photo"
        number = 1
        while name in names:
            number += 1
            name = f"{stem}_{number}"
        names.append(name)
    return names


def _parser(asked: str) -> argparse.ArgumentParser:
    """The parser; training's part is filled in only when it is asked for: doctor must run without its libraries."""
    parser = argparse.ArgumentParser(prog="marigold", description="Marigold monocular depth for Blender.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("estimate", help="estimate the depth of photos and clips")
    command.add_argument("photos", nargs="+", metavar="PHOTO")
    command.add_argument("--output", required=True, metavar="DIR", help="folder for the files; made if it is missing")
    command.add_argument(
        "--independent", action="store_true", help="of clips: estimate each frame by itself (default: steady in time)"
    )
    add_settings_arguments(command)
    _add_json(command)
    command.set_defaults(run_command=estimate)

    command = commands.add_parser("dof", help="focus a photo after the fact")
    if asked == "dof":
        from . import depth_of_field_command
        from .lens_arguments import add_depth_of_field_arguments

        add_depth_of_field_arguments(command)
        _add_json(command)
        command.set_defaults(run_command=depth_of_field_command.run)

    command = commands.add_parser("calibrate", help="find shift, focal length and floor of a depth map from itself")
    if asked == "calibrate":
        from . import calibrate_command

        calibrate_command.add_arguments(command)
        _add_json(command)
        command.set_defaults(run_command=calibrate_command.run)

    command = commands.add_parser("mesh", help="write a depth map as a mesh, a solid or points")
    if asked == "mesh":
        from . import mesh_command

        mesh_command.add_arguments(command)
        _add_json(command)
        command.set_defaults(run_command=mesh_command.run)

    command = commands.add_parser("doctor", help="say what runs where, and what is wrong")
    _add_json(command)
    command.set_defaults(run_command=doctor)

    command = commands.add_parser("models", help="list, fetch, check, delete and move models")
    if asked == "models":
        from . import models_command

        models_command.add_arguments(command)
        command.set_defaults(run_command=models_command.run)

    command = commands.add_parser("runtime", help="install, check or remove the worker's own Python environment")
    if asked == "runtime":
        from .runtime import command as runtime

        runtime.add_arguments(command)
        command.set_defaults(run_command=runtime.run)

    command = commands.add_parser("benchmark", help="measure speed and memory beside stock diffusers")
    if asked == "benchmark":
        from .benchmark import command as benchmark

        benchmark.add_arguments(command)
        _add_json(command)
        command.set_defaults(run_command=_benchmark)

    command = commands.add_parser("evaluate", help="measure a model on pictures with known depth")
    if asked == "evaluate":
        from .training import evaluate_command

        evaluate_command.add_arguments(command)
        command.set_defaults(run_command=evaluate_command.run)
    command = commands.add_parser("train", help="render scenes and train on them")
    if asked == "train":
        from .training import command as training

        training.add_arguments(command)
        command.set_defaults(run_command=training.run)
    return parser


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print one JSON object")


def _fail(error: MarigoldError, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"ok": False, "error": error.to_json()}, ensure_ascii=False))
    print(error.message, file=sys.stderr)


def _quieten_libraries() -> None:
    """The libraries' notices and progress bars are not the command's output."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


if __name__ == "__main__":
    sys.exit(main())
