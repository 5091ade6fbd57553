# SPDX-License-Identifier: GPL-3.0-or-later
"""What client and worker say to each other: one JSON object a line, over the worker's stdin and stdout.

| from | type | fields |
|---|---|---|
| both | `hello` | `protocol`; from the worker also `version`, `pid`, `python` |
| client | `request` | `job`, `task`, `payload` |
| client | `cancel` | `job`; answered at once by `cancelling`, later by the job's `error` of kind `cancelled` |
| client | `ping` | `id`; answered at once by `pong` |
| client | `online` | `allowed`: whether the network may be used from now on (not before the first of these) |
| client | `shutdown` | the worker stops what it does and exits |
| worker | `progress` | `job`, `stage`, `done`, `total`, `overall` (0..1 of the whole job); of bytes also their \
`bytes_per_s` and `seconds_left` (or null) |
| worker | `log` | `text` |
| worker | `result` | `job`, `result` |
| worker | `error` | `job`, `error` (see `MarigoldError.to_json`) |

Each task belongs to a lane; the worker runs one job of each lane at a time, so that a download goes on beside an
estimate. Messages stay small: arrays travel as files. Standard library only: both sides import this.
"""

from __future__ import annotations

import json
from typing import Any

PROTOCOL = 2

Message = dict[str, Any]

INFERENCE, DOWNLOADS = "inference", "downloads"
LANES = (INFERENCE, DOWNLOADS)
DOWNLOAD_TASKS = ("download_model", "verify_model", "move_models")


def lane_of(task: str) -> str:
    """The lane that a task runs in."""
    return DOWNLOADS if task in DOWNLOAD_TASKS else INFERENCE


def encode(message: Message) -> bytes:
    """One line; ASCII, so that no encoding of a pipe can spoil it."""
    return json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"


def decode(line: bytes) -> Message:
    """The message of one line.

    Raises:
        ValueError: the line is not a JSON object with a type.
    """
    message = json.loads(line)
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ValueError(f"not a message: {line[:80]!r}")
    return message
