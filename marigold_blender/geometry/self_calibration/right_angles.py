# SPDX-License-Identifier: GPL-3.0-or-later
"""The focal length with which planes of the picture meet at right angles. Called by `calibrate`.

A plane whose disparity is a x + b y + c about the principal point has the normal (a f, -b f, -c): its direction depends
on the focal length f. What people build is mostly parallel or at right angles, so every pair of planes votes for the
focal lengths with which it is at right angles; pairs that are not, agree with no other pair.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from .fitting import Plane

FOCALS = np.geomspace(0.5, 8.0, 280)  # in half longer edges: fields of view from 127 to 14 degrees
USUAL_FOCAL, USUAL_SPREAD = 2.0, 0.6  # 53 degrees, give or take a factor of 1.8
PRIOR_VOTE = 0.03
LEAST_VOTE = 0.03
LEAST_AREA = 0.02
FINEST_DEG, DEG_PER_NOISE, COARSEST_DEG = 0.5, 600.0, 8.0  # how exactly a right angle is met, by the planes' noise
FLAT, BENT = 3e-4, 3.0  # noise that is flat in any case; that of a bent surface, in times the least
SURE_ERROR = 0.08


@dataclass(frozen=True)
class Focal:
    """A focal length in half longer edges, its expected relative error, and how much of the vote it has (0 .. 1)."""

    value: float
    error: float
    agreement: float


def normals(affines: np.ndarray, focal: np.ndarray | float) -> np.ndarray:
    """Unit normals towards the camera [..., 3] of affine disparities [..., 3] for a focal length in the same unit."""
    a, b, c = affines[..., 0], affines[..., 1], affines[..., 2]
    towards = np.stack(np.broadcast_arrays(-a * focal, b * focal, c), axis=-1)
    return towards / np.linalg.norm(towards, axis=-1, keepdims=True)


def focal_from_right_angles(planes: list[Plane]) -> Focal | None:
    """The focal length most pairs of planes agree on; None where no pair tells one."""
    planes = _flat(planes)
    if len(planes) < 2:
        return None
    directions = np.stack([normals(plane.affine[None], FOCALS) for plane in planes])  # [P, F, 3]
    prior = np.exp(-0.5 * (np.log(FOCALS / USUAL_FOCAL) / USUAL_SPREAD) ** 2)
    votes = PRIOR_VOTE * prior
    told: list[tuple[float, np.ndarray, float]] = []
    for first, second in combinations(range(len(planes)), 2):
        lean = np.degrees(np.arcsin(np.clip((directions[first] * directions[second]).sum(-1), -1, 1)))
        blur = _blur_deg(planes[first]) + _blur_deg(planes[second])
        kernel = np.exp(-0.5 * (lean / blur) ** 2)
        # A pair that is at right angles with nearly any focal length tells none.
        telling = kernel.max() - float((kernel * prior).sum() / prior.sum())
        weight = float(np.sqrt(planes[first].area * planes[second].area)) * max(telling, 0.0)
        votes = votes + weight * kernel
        told.append((weight, lean, blur))
    best = int(votes.argmax())
    return _refined(best, told)


def _flat(planes: list[Plane]) -> list[Plane]:
    """The planes that are as flat as the flattest: all have the map's noise, what has more is bent."""
    planes = [plane for plane in planes if plane.area >= LEAST_AREA]
    limit = max(FLAT, BENT * min((plane.noise for plane in planes), default=0.0))
    return [plane for plane in planes if plane.noise <= limit]


def _blur_deg(plane: Plane) -> float:
    return float(np.clip(FINEST_DEG + DEG_PER_NOISE * plane.noise, FINEST_DEG, COARSEST_DEG))


def _refined(best: int, told: list[tuple[float, np.ndarray, float]]) -> Focal | None:
    """The mean, in logarithms, of where the pairs that agree are exactly at right angles."""
    logs, information, agreeing, voting = [], [], 0.0, 0.0
    steps = np.log(FOCALS)
    for weight, lean, blur in told:
        crossing = np.flatnonzero(np.sign(lean[:-1]) != np.sign(lean[1:]))
        if weight <= 0 or len(crossing) == 0:
            continue
        voting += weight
        at = crossing[np.abs(crossing - best).argmin()]
        slope = (lean[at + 1] - lean[at]) / (steps[at + 1] - steps[at])
        if abs(lean[best]) > 2.5 * blur or abs(slope) < 1e-6:
            continue
        agreeing += weight
        logs.append(steps[at] - lean[at] / slope)
        information.append(weight * (slope / blur) ** 2)
    if agreeing < LEAST_VOTE:
        return None
    logs_, information_ = np.array(logs), np.array(information)
    mean = float((logs_ * information_).sum() / information_.sum())
    weights = information_ / max(float(information_.max()), 1e-12)
    strongest = max(abs(slope_of(lean, best)) / blur for weight, lean, blur in told if weight > 0)
    spread = float(np.sqrt((weights * (logs_ - mean) ** 2).sum() / weights.sum()))
    return Focal(float(np.exp(mean)), float(np.hypot(1.0 / strongest, spread)), agreeing / voting)


def slope_of(lean: np.ndarray, at: int) -> float:
    """How many degrees a pair leans more for a focal length e times as long."""
    near = min(max(at, 1), len(FOCALS) - 2)
    return float((lean[near + 1] - lean[near - 1]) / (np.log(FOCALS[near + 1]) - np.log(FOCALS[near - 1])))
