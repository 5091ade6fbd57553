# SPDX-License-Identifier: GPL-3.0-or-later
"""The licences of the models: what they say in short, and which of them this user has accepted. Used by everything
that offers or fetches a model.

A licence is accepted once for each user, whatever Blender or command asks: the note lies in the user's folder.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..errors import MarigoldError
from ..paths import user_folder
from .whole_files import read_object, write_whole


@dataclass(frozen=True)
class Licence:
    """One licence of model weights.

    Attributes:
        id: its SPDX identifier where there is one.
        summary: what it allows and asks for, for people; the text behind `url` is what counts.
        asks: whether it must be accepted before a model is fetched.
    """

    id: str
    title: str
    summary: str
    url: str
    asks: bool = True


LICENCES: dict[str, Licence] = {
    licence.id: licence
    for licence in (
        Licence(
            "CC0-1.0",
            "CC0 1.0 Universal",
            "Public domain: use it for anything, without any condition.",
            "https://creativecommons.org/publicdomain/zero/1.0/legalcode",
            asks=False,
        ),
        Licence(
            "Apache-2.0",
            "Apache License 2.0",
            "Use it for anything, commercially too. Who passes the model on includes the licence and its notices. "
            "There is no warranty.",
            "https://www.apache.org/licenses/LICENSE-2.0",
        ),
        Licence(
            "OpenRAIL++-M",
            "Open RAIL++-M (ETH Zürich, PRS)",
            "Use it, commercially too, for what is lawful and not excluded by the licence's use restrictions "
            "(paragraph 5 and Attachment A). You answer for what you make with it. Who passes on the model, or a model "
            "trained from it, includes the licence and binds the receivers to the same restrictions. There is no "
            "warranty.",
            "https://github.com/prs-eth/Marigold/blob/main/LICENSE-MODEL.txt",
        ),
    )
}


def is_accepted(licence: str) -> bool:
    """Whether this user has accepted a licence, or need not."""
    known = LICENCES.get(licence)
    return (known is not None and not known.asks) or licence in read_object(_note())


def accept_licence(licence: str) -> Licence:
    """Note that this user accepts a licence.

    Raises:
        MarigoldError: there is no such licence (`bad_input`), or the note cannot be written (`cannot_write`).
    """
    if licence not in LICENCES:
        raise MarigoldError("bad_input", f"There is no licence “{licence}”: use one of {', '.join(LICENCES)}.")
    accepted = {**read_object(_note()), licence: datetime.now(UTC).isoformat(timespec="seconds")}
    write_whole(_note(), json.dumps(accepted, indent=1).encode())
    return LICENCES[licence]


def require_accepted(licence: str, model: str) -> None:
    """Raises MarigoldError: the licence of a model (its label) has not been accepted (`licence`)."""
    if not is_accepted(licence):
        known = LICENCES.get(licence)
        title, where = (known.title, f" ({known.url})") if known else (licence, "")
        raise MarigoldError(
            "licence",
            f"The licence of {model}, {title}{where}, has not been accepted: read and accept it first "
            f"(on the command line: marigold models accept {licence}).",
            fix="marigold.accept_licence",
        )


def _note() -> Path:
    return user_folder() / "licences.json"
