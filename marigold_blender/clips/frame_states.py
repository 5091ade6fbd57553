# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done of a clip, in one JSON file beside its frames, so that a killed run goes on. Called by the clip jobs.

A frame counts as done if it is noted and its file is there; files appear by renaming, so they are whole. The note is
bound to everything that decides the frames: with other settings nothing counts as done.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..depth_files.replacing import replacing_one
from ..errors import MarigoldError

DONE = "done"


class FrameStates:
    """The state of each frame of a clip that is being written.

    Args:
        path: the JSON file; made with the first frame.
        about: what the file says besides the frames; what of it decides how frames look is under `deciding`.
        file_of: where a frame's file stands.

    Raises:
        MarigoldError: from `note`, when the file cannot be written (`cannot_write`).
    """

    def __init__(self, path: Path, about: dict[str, Any], file_of: Callable[[int], Path]) -> None:
        self._path, self._about, self._file_of = path, about, file_of
        before = _read(path)
        is_same = before.get("deciding") == json.loads(json.dumps(about["deciding"]))
        noted = before.get("frames", {}) if is_same else {}
        self._frames: dict[int, str] = {
            int(number): state for number, state in noted.items() if state == DONE and file_of(int(number)).is_file()
        }

    def is_done(self, number: int) -> bool:
        return number in self._frames

    def forget(self) -> None:
        """Nothing counts as done any more."""
        self._frames.clear()

    def about(self, about: dict[str, Any]) -> None:
        """What the file is to say besides the frames from now on."""
        self._about = about

    def note(self, number: int) -> None:
        """A frame's file is there now."""
        self._frames[number] = DONE
        frames = {str(number): self._frames[number] for number in sorted(self._frames)}
        text = json.dumps({**self._about, "frames": frames}, indent=1, ensure_ascii=False) + "\n"
        with replacing_one(self._path) as beside:
            beside.write_text(text, encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise MarigoldError(
            "bad_input", f"{path} is no record of a clip: choose another folder.", details=str(error)
        ) from error
    return content if isinstance(content, dict) else {}
