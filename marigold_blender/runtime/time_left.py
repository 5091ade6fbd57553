# SPDX-License-Identifier: GPL-3.0-or-later
"""How long something will still take, from the share that was done lately. Used by `installer`."""

from __future__ import annotations

from collections import deque

WINDOW_S = 60.0
FIRST_S = 3.0  # before this any number would be a guess


class TimeLeft:
    """Takes shares with their times, and extrapolates the last minute."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, float]] = deque()

    def note(self, now: float, share: float) -> None:
        self._points.append((now, share))
        while now - self._points[0][0] > WINDOW_S and len(self._points) > 2:
            self._points.popleft()

    def seconds(self, now: float) -> float | None:
        """None while nothing can be told; what is stuck takes longer and longer, as it does."""
        if not self._points:
            return None
        (then, share_then), (_, share) = self._points[0], self._points[-1]
        if now - then < FIRST_S or share <= share_then:
            return None
        return (1 - share) * (now - then) / (share - share_then)
