# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts what a network smears between two surfaces onto one of them. Called by `surfaces`.

A decoder draws a jump as a ramp of two to six pixels. Its pixels belong to neither side: they would hang in the air as
a fringe, or stretch the edge like rubber. On a ramp every pixel goes to the side whose disparity is closer to its own,
which leaves one clean step.
"""

from __future__ import annotations

import numpy as np

from .discontinuities import Discontinuities

SMEAR_SHARE = 0.12  # of the jump: a link beside it that is steeper belongs to its ramp
LONGEST_RAMP = 8  # pixels: what is longer is a surface seen at a glance, or steps that are really there
BESIDE = 3  # links on each side of a jump that may belong to its ramp


def snap_ramps(disparity: np.ndarray, jumps: Discontinuities) -> np.ndarray:
    """Disparity [rows, columns] without ramps: each of their pixels has the value of one end of its ramp."""
    across = _snap_lines(disparity, jumps.across)
    down = _snap_lines(disparity.T, jumps.down.T).T
    changed_across, changed_down = across != disparity, down != disparity
    nearer = abs(across - disparity) <= abs(down - disparity)
    return np.where(changed_across & (nearer | ~changed_down), across, np.where(changed_down, down, disparity))


def _snap_lines(disparity: np.ndarray, jump: np.ndarray) -> np.ndarray:
    """Ramps along the rows: `jump` [rows, columns - 1] tells the links that jump."""
    columns = disparity.shape[1]
    if columns < 3 or not jump.any():
        return disparity
    slope = np.diff(disparity, axis=1)
    lines, links = np.nonzero(jump)
    gap = disparity[lines, np.minimum(links + 1 + BESIDE, columns - 1)]
    gap -= disparity[lines, np.maximum(links - BESIDE, 0)]
    ramp = jump.copy()
    for direction in (-1, 1):
        part = np.ones(len(links), bool)
        for away in range(1, BESIDE + 1):
            beside = links + direction * away
            inside = (beside >= 0) & (beside < columns - 1)
            beside = np.clip(beside, 0, columns - 2)
            part &= inside & (slope[lines, beside] * np.sign(gap) > SMEAR_SHARE * abs(gap))
            ramp[lines[part], beside[part]] = True

    between = np.zeros(disparity.shape, bool)
    between[:, 1:-1] = ramp[:, :-1] & ramp[:, 1:] & (slope[:, :-1] * slope[:, 1:] > 0)
    lines, places = np.nonzero(between)
    if not len(lines):
        return disparity
    place = np.arange(columns)
    first = np.maximum.accumulate(np.where(between, -1, place), axis=1)[lines, places]
    last = np.minimum.accumulate(np.where(between, columns, place)[:, ::-1], axis=1)[:, ::-1][lines, places]
    short = last - first <= LONGEST_RAMP + 1
    lines, places, first, last = lines[short], places[short], first[short], last[short]
    start, end, own = disparity[lines, first], disparity[lines, last], disparity[lines, places]
    snapped = disparity.copy()
    snapped[lines, places] = np.where(abs(own - start) <= abs(own - end), start, end)
    return snapped
