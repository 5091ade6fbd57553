# SPDX-License-Identifier: GPL-3.0-or-later
"""A small quasi-Newton solver, because Blender's and the worker's Python need no scipy. Called by `ensembling`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

MAX_ITERATIONS = 500
TOLERANCE = 1e-14  # relative decrease over three iterations below which the search ends
SUFFICIENT = 1e-4  # share of the decrease that the gradient promises (Armijo)
SHORTEST_STEP = 1e-10
LONGEST_STEP = 0.5  # of any parameter: a scale may grow by e^0.5, a shift by half of the range


def minimise(
    function: Callable[[np.ndarray], tuple[float, np.ndarray]],
    start: np.ndarray,
    check: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """A local minimum by BFGS with backtracking (Nocedal & Wright, algorithm 6.1).

    Args:
        function: gives the value and the gradient at a point.
        start: [P] float64.
        check: called before every iteration; may raise.
    """
    point = start
    value, gradient = function(point)
    inverse = _first_inverse(gradient)
    history = [value]
    restarted = False
    for _ in range(MAX_ITERATIONS):
        check()
        direction = -inverse @ gradient
        direction /= max(1.0, float(np.abs(direction).max()) / LONGEST_STEP)
        slope = float(gradient @ direction)
        step, reached = 1.0, None
        while slope < 0.0 and step >= SHORTEST_STEP:
            trial = point + step * direction
            reached = function(trial)
            if reached[0] <= value + SUFFICIENT * step * slope:
                break
            step, reached = step / 2.0, None
        if reached is None:
            if restarted:
                return point
            # The curvature has misled, or there is nothing left to gain: once more along the plain gradient.
            inverse, restarted = _first_inverse(gradient), True
            continue
        moved, turned = trial - point, reached[1] - gradient
        restarted = False
        point, (value, gradient) = trial, reached
        curvature = float(moved @ turned)
        if curvature > 1e-12:
            left = np.eye(len(point)) - np.outer(moved, turned) / curvature
            inverse = left @ inverse @ left.T + np.outer(moved, moved) / curvature
        history.append(value)
        if len(history) > 3 and history[-4] - value <= TOLERANCE * abs(value):
            return point
    return point


def _first_inverse(gradient: np.ndarray) -> np.ndarray:
    """A first step of a hundredth, whatever the function's scale."""
    return np.eye(len(gradient)) * 0.01 / max(float(np.linalg.norm(gradient)), 1e-12)
