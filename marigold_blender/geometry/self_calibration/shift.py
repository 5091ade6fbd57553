# SPDX-License-Identifier: GPL-3.0-or-later
"""The shift of affine-invariant depth: the one with which the disparity of the picture's planes is affine.

Called by `calibrate`. Planes that were fitted each with a shift of its own vote, by how well the others can be had with
that shift; from the shifts with most votes, all planes and one shift are fitted in turn; the one that tells most of the
picture most exactly is it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .fitting import FINEST, Plane
from .guesses import TOLERANCES, candidates, noise_at, support
from .hypotheses import triples
from .joint import fit_together
from .planes import explained, find_planes
from .samples import Samples

TRIPLES = 160
USUAL_SHIFTS = (0.03, 0.1, 0.3, 1.0, 3.0)  # of the range: tried where there are not enough others
STARTS = 6
APART = 0.15  # shifts are different starts when they differ by this share
ROUNDS = 3
PLANE_COST = 0.06  # what a plane must tell to be worth assuming it


@dataclass(frozen=True)
class Shift:
    """What was found.

    Attributes:
        value: the shift in shares of the samples' range; error: its standard error.
        planes: that were fitted with it; no pixel is on two of them.
        told: how much of the picture they explain how exactly, see `planes.explained`.
    """

    value: float
    error: float
    planes: list[Plane]
    told: float


def find_shift(samples: Samples, rng: np.random.Generator) -> Shift | None:
    """None where the picture has no planes at all."""
    corners = triples(samples, TRIPLES, rng)
    guessed = candidates(samples, corners)
    votes = sorted(
        ((sum(support(samples, plane, tried.shift) for plane in guessed), tried.shift) for tried in guessed),
        reverse=True,
    )
    starts: list[float] = []
    for _, shift in [*votes, *((0.0, s) for s in USUAL_SHIFTS)]:
        if len(starts) < STARTS and all(abs(np.log(shift / other)) > APART for other in starts):
            starts.append(shift)
    found = [settled for shift in starts if (settled := settle(samples, corners, guessed, shift)) is not None]
    return max(found, key=lambda shift: shift.told, default=None)


def settle(samples: Samples, corners: np.ndarray, guessed: list[Plane], shift: float) -> Shift | None:
    """Planes and shift in turn, each with the other, from a guess of the shift."""
    tolerance = TOLERANCES[0] / 2
    found = [p for p in guessed if noise_at(samples, p, shift) < 2.0 * p.noise + 2 * FINEST]
    best: Shift | None = None
    for _ in range(ROUNDS):
        planes = find_planes(samples, corners, shift, tolerance, found)
        if not planes:
            return best
        shift, error, found = fit_together(samples, planes, shift)
        if not found:
            return best
        told = sum(explained(plane, plane.area) - PLANE_COST for plane in found)
        if best is None or told > best.told:
            best = Shift(shift, error, found, told)
        tolerance = min(tolerance, max(4 * float(np.median([p.noise for p in found])), 4 * FINEST))
    return best
