# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception that every part raises for what a user can understand and mend.

Raised in the worker, the command line and the Blender side alike; it crosses the worker's pipe as a small dictionary.
"""

from __future__ import annotations

from typing import Any, Literal

ErrorKind = Literal[
    "bad_input",  # the photo, a setting or a name is not usable
    "no_runtime",  # no Python with torch and diffusers to run the worker in
    "no_model",  # the model folder is missing, incomplete or damaged
    "licence",  # the model's licence has not been accepted yet
    "offline",  # online access is off: nothing was sent
    "network",  # a server cannot be reached, refuses or sends something wrong
    "cannot_write",  # the output or cache folder is not writable, or the disk is full
    "out_of_memory",
    "worker_died",
    "cancelled",
    "internal",  # a fault of ours: the log has the traceback
]


class MarigoldError(Exception):
    """A failure told in one sentence.

    Args:
        kind: what sort of failure it is, for programs.
        message: one sentence for the artist: what is wrong and what to do.
        fix: `bl_idname` of the operator that mends it (drawn as a button beside the message), or None.
        details: log lines or a traceback for *copy details*; never shown by itself.
    """

    def __init__(self, kind: ErrorKind, message: str, *, fix: str | None = None, details: str = "") -> None:
        super().__init__(message)
        self.kind: ErrorKind = kind
        self.message = message
        self.fix = fix
        self.details = details

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "message": self.message, "fix": self.fix, "details": self.details}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> MarigoldError:
        return cls(data["kind"], data["message"], fix=data.get("fix"), details=data.get("details", ""))
