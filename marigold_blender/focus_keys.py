# SPDX-License-Identifier: GPL-3.0-or-later
"""A focus that moves with a clip's frames: keyframes, from a command line or from Blender. Standard library only."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

from .errors import MarigoldError


@dataclass(frozen=True)
class FocusKeys:
    """Values at frames; between two of them the value starts and ends gently, before and after all it holds.

    Attributes:
        keys: (frame, value), frames ascending; one key is a focus that does not move.
    """

    keys: tuple[tuple[int, float], ...]

    def at(self, frame: int) -> float:
        frames = [key[0] for key in self.keys]
        after = bisect_right(frames, frame)
        if after == 0:
            return self.keys[0][1]
        if after == len(self.keys):
            return self.keys[-1][1]
        (start, low), (end, high) = self.keys[after - 1], self.keys[after]
        share = (frame - start) / (end - start)
        return low + (high - low) * share * share * (3 - 2 * share)

    @property
    def moves(self) -> bool:
        return len({value for _, value in self.keys}) > 1


def parse_focus(text: str) -> FocusKeys:
    """`0.4`, or `1:0.1,48:0.9` for keyframes.

    Raises:
        MarigoldError: it is neither (`bad_input`).
    """
    try:
        if ":" not in text:
            keys = [(0, float(text))]
        else:
            pairs = (part.split(":") for part in text.split(","))
            keys = sorted((int(frame), float(value)) for frame, value in pairs)
    except ValueError as error:
        raise MarigoldError(
            "bad_input", f"The focus “{text}” is neither a number nor keyframes like 1:0.1,48:0.9."
        ) from error
    if len({frame for frame, _ in keys}) != len(keys) or not all(math.isfinite(value) for _, value in keys):
        raise MarigoldError("bad_input", f"The focus “{text}” needs one plain number for each frame.")
    return FocusKeys(tuple(keys))
