# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold models …`: lists, fetches, checks, deletes and moves models without Blender. Called by the command line."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .errors import MarigoldError
from .models.catalogue import DEFAULT_MODEL
from .models.deleting import delete_model
from .models.folders import models_folder
from .models.licences import LICENCES, accept_licence
from .models.local_models import register_local_model
from .models.moving import move_models_folder
from .models.naming import known_models, named_model
from .models.network import has_token, read_network, save_network, save_token, without_secrets
from .models.status import look
from .models.verifying import verify_model
from .progress_line import ProgressLine

Answer = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what can be done with models as subcommands."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    def action(name: str, run: Callable[[argparse.Namespace], Answer], about: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=about, description=about)
        added.add_argument("--json", action="store_true", help="print one JSON object")
        added.set_defaults(run_action=run)
        return added

    action("list", _list, "list the models: name, state, size, licence, what it is")
    download = action("download", _download, "fetch models; what is there already is not fetched again")
    download.add_argument("names", nargs="*", default=[DEFAULT_MODEL], metavar="NAME", help=f"default: {DEFAULT_MODEL}")
    download.add_argument("--accept-licence", action="store_true", help="accept the models' licences, having read them")
    verify = action("verify", _verify, "read every byte of models and compare it with what was published")
    verify.add_argument("names", nargs="*", metavar="NAME", help="default: all that are there")
    delete = action("delete", _delete, "delete models, or take models of your own off the list")
    delete.add_argument("names", nargs="+", metavar="NAME")
    move = action("move", _move, "move all models to another folder")
    move.add_argument("folder", nargs="?", default="", metavar="FOLDER", help="default: back to the default folder")
    accept = action("accept", _accept, "show a licence and accept it, once for you and all models under it")
    accept.add_argument("licence", choices=list(LICENCES), metavar="LICENCE", help=", ".join(LICENCES))
    add = action("add", _add, "let a model folder of your own appear among the models")
    add.add_argument("folder", metavar="FOLDER", help="in diffusers format; stays where it is")
    add.add_argument("--label", default="", help="what it is called; default: the folder's name")
    network = action("network", _network, "show or set how the hub is reached")
    network.add_argument("--endpoint", help="the hub's address or a mirror's; empty: the hub's")
    network.add_argument("--proxy", help="a proxy's address; empty: the system's")
    network.add_argument("--token", action="store_true", help="ask for an access token (empty: forget it)")


def run(options: argparse.Namespace) -> int:
    """Run the action chosen; the exit code.

    Raises:
        MarigoldError: whatever is wrong.
    """
    answer = options.run_action(options)
    lines = answer.pop("lines")
    if options.json:
        print(json.dumps({"ok": True, **answer}, ensure_ascii=False))
    elif lines:
        print("\n".join(lines))
    return 0


def _list(options: argparse.Namespace) -> Answer:
    rows, models = [], []
    for model in known_models().values():
        now = look(model)
        models.append({**asdict(now), "folder": str(now.folder), "hub_id": model.hub_id, "steps": model.steps})
        size = _gb(now.bytes_total) if now.state in ("absent", "present") else _gb(now.bytes_present, now.bytes_total)
        licence = (now.licence or "your own") + ("" if now.accepted else " (not accepted)")
        rows.append((model.name, now.state, size, licence, f"{model.label}: {model.description}"))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]) for row in rows
    ]
    return {"folder": str(models_folder()), "models": models, "lines": [*lines, f"in {models_folder()}"]}


def _download(options: argparse.Namespace) -> Answer:
    models = [named_model(name) for name in options.names]
    if options.accept_licence:
        for licence in {model.licence for model in models if model.hub_id}:
            accept_licence(licence)
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # before the hub's library is imported
    from .worker.server import permission
    from .worker.server.download import download_model

    permission.give_unless_offline()
    done = []
    for model in models:
        with ProgressLine(model.label) as line:
            done.append(download_model(model.name, _progress(line, "download_model"), lambda: False))
    lines = [f"{each['folder']} ({_gb(each['bytes'])}, {_gb(each['fetched_bytes'])} fetched)" for each in done]
    return {"models": done, "lines": lines}


def _verify(options: argparse.Namespace) -> Answer:
    there = [model.name for model in known_models().values() if look(model).state != "absent"]
    results, damaged = [], []
    for name in options.names or there:
        model = named_model(name)
        with ProgressLine(model.label) as line:
            found = verify_model(model, _progress(line, "verify_model"), lambda: None)
        results.append({"model": model.name, **asdict(found)})
        damaged += [f"{model.name}: {path}" for path in found.damaged]
    if damaged:
        raise MarigoldError(
            "no_model",
            f"{len(damaged)} files are missing or damaged ({', '.join(damaged)}): mend them by downloading again.",
            details=json.dumps(results),
        )
    return {"models": results, "lines": [f"{each['model']}: {each['files']} files are whole" for each in results]}


def _delete(options: argparse.Namespace) -> Answer:
    freed = {named_model(name).name: delete_model(name) for name in options.names}
    return {"freed_bytes": freed, "lines": [f"{name}: {_gb(count)} freed" for name, count in freed.items()]}


def _move(options: argparse.Namespace) -> Answer:
    with ProgressLine("models") as line:
        folder = move_models_folder(options.folder, _progress(line, "move_models"), lambda: None)
    return {"folder": str(folder), "lines": [str(folder)]}


def _accept(options: argparse.Namespace) -> Answer:
    licence = accept_licence(options.licence)
    lines = [licence.title, licence.summary, licence.url, "Accepted."]
    return {"licence": licence.id, "title": licence.title, "url": licence.url, "lines": lines}


def _add(options: argparse.Namespace) -> Answer:
    model = register_local_model(Path(options.folder), options.label)
    return {"model": model.name, "folder": str(model.folder), "lines": [model.name]}


def _network(options: argparse.Namespace) -> Answer:
    now = read_network()
    if options.endpoint is not None or options.proxy is not None:
        save_network(
            now.endpoint if options.endpoint is None else options.endpoint,
            now.proxy if options.proxy is None else options.proxy,
        )
    if options.token:
        save_token(getpass.getpass("Access token: ") if sys.stdin.isatty() else sys.stdin.readline())
    now = read_network()
    answer = {"endpoint": now.endpoint, "proxy": without_secrets(now.proxy, now), "has_token": has_token()}
    return {**answer, "lines": [f"{name:10}{value}" for name, value in answer.items()]}


def _progress(line: ProgressLine, task: str) -> Callable[[str, int, int], None]:
    from .worker.server.progress import SHARES, Progress

    return Progress(line.show, SHARES[task])


def _gb(count: int, of: int = 0) -> str:
    return f"{count / 1e9:.2f} of {of / 1e9:.2f} GB" if of else f"{count / 1e9:.2f} GB"
