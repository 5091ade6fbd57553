# SPDX-License-Identifier: GPL-3.0-or-later
"""Scale and shift of affine-invariant depth from points whose distance is known. Called by the scene's calibration.

metric depth = near + depth * (far - near). Errors are counted as shares of the distance, as both measuring tapes and
depth estimates have them. The points may hold outliers: RANSAC (Fischler and Bolles, 1981) over pairs of points, scored
by a quantile of their errors (least median of squares: Rousseeuw, 1984), so that no threshold has to be known; then
weighted least squares over the points that agree.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from ..errors import MarigoldError

Method = Literal["POINTS", "LENGTHS", "MARKERS", "SCENE", "FILE", "SELF"]

ASSUMED_RANGE = 1.0, 4.0  # near and far of depth that is not calibrated (DESIGN.md, depth in Blender)
LEAST_SPREAD = 0.01  # of the depth range: nearer to each other, two points tell nothing of the shift
MOST_PAIRS = 2000
MOST_SCORED = 1000
AGREE = 0.02  # distances that are this close agree, however well the others do
MOST_DISAGREEMENT = 0.35  # half of the points may not be farther off than this
LEAST_NEAR = 1e-3  # of far: points that are all far away cannot tell near from the camera itself
KNOWN_WITHIN = 0.01  # how well distances are known at best; what two exact points say is not certain either


@dataclass(frozen=True)
class Calibration:
    """What a depth map's range is, how that is known, and how far it can be trusted.

    Attributes:
        method: what it was found from.
        near, far: metric depth of 0 and of 1, in the unit of the distances.
        focal_px: focal length in pixels, where it was found too.
        residual: median error of the points that agree, as a share of their distance.
        inliers, count: how many points agree, of how many.
        expected_error: standard error of metric depth over the whole range, as a share of the distance.
        confidence: 0 .. 1, from the expected error and the share of the points that agree.
        kept: what was taken over because it could not be determined, for people; empty: nothing.
    """

    method: Method
    near: float
    far: float
    focal_px: float | None
    residual: float
    inliers: int
    count: int
    expected_error: float
    confidence: float
    kept: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Calibration:
        return cls(**data)

    @property
    def trust(self) -> str:
        """The confidence in words."""
        return in_words(self.confidence)


def in_words(confidence: float) -> str:
    """“sure”, “fairly sure” or “unsure”."""
    return "sure" if confidence >= 0.7 else "fairly sure" if confidence >= 0.4 else "unsure"


def confidence_of(expected_error: float, agreeing: float) -> float:
    """0 .. 1: a half at an expected error of 8 %; `agreeing` is the share of the points that agree."""
    return round(math.sqrt(agreeing) / (1 + (expected_error / 0.08) ** 2), 3)


def fit_scale_and_shift(
    depth: np.ndarray, metric: np.ndarray, *, method: Method = "POINTS", focal_px: float | None = None
) -> Calibration:
    """The range of a depth map from its values at points of known planar distance.

    Args:
        depth: [N], 0 near .. 1 far; what is not finite is left out.
        metric: [N] planar distances from the camera; what is not finite and positive is left out.
        method, focal_px: are passed on into the result.

    Raises:
        MarigoldError: the points do not determine it, or contradict each other or the depth (`bad_input`).
    """
    usable = np.isfinite(depth) & np.isfinite(metric) & (np.asarray(metric) > 0)
    depth, metric = np.asarray(depth, float)[usable], np.asarray(metric, float)[usable]
    if len(depth) < 2:
        known = "only one" if len(depth) else "none"
        raise _refusal(f"Two points with known distances are needed, there is {known}: add one at another depth.")
    _check_spread(depth)
    near, scale, limit = _ransac(depth, metric)
    chosen = _agreeing(depth, metric, near, scale, limit)
    for _ in range(20):
        _check_spread(depth[chosen])
        near, scale = _least_squares(depth[chosen], metric[chosen])
        again = _agreeing(depth, metric, near, scale, limit)
        if (again == chosen).all() or again.sum() < 2:
            break
        chosen = again
    errors = _errors(depth[chosen], metric[chosen], near, scale)
    expected = _expected_error(depth[chosen], metric[chosen], near, scale)
    return Calibration(
        method=method,
        near=near,
        far=near + scale,
        focal_px=focal_px,
        residual=float(np.median(errors)),
        inliers=int(chosen.sum()),
        count=len(depth),
        expected_error=expected,
        confidence=confidence_of(expected, float(chosen.mean())),
    )


def _refusal(sentence: str) -> MarigoldError:
    return MarigoldError("bad_input", sentence)


def _check_spread(depth: np.ndarray) -> None:
    if np.ptp(depth) < LEAST_SPREAD:
        raise _refusal(
            "The points that agree all lie at the same depth, which tells the scale but not the shift:"
            " add points nearer and farther away."
        )


def _errors(depth: np.ndarray, metric: np.ndarray, near: float | np.ndarray, scale: float | np.ndarray) -> np.ndarray:
    """How far the distances are off, as a share; twice as far is as bad as half as far."""
    return np.abs(np.log(np.maximum(near + depth * scale, 1e-9 * metric) / metric))


def _agreeing(depth: np.ndarray, metric: np.ndarray, near: float, scale: float, limit: float) -> np.ndarray:
    return _errors(depth, metric, near, scale) <= limit


def _ransac(depth: np.ndarray, metric: np.ndarray) -> tuple[float, float, float]:
    """Near, scale, and the error up to which a point agrees; three points or fewer all do."""
    count = len(depth)
    rng = np.random.default_rng(0)
    if count * (count - 1) // 2 <= MOST_PAIRS:
        first, second = np.triu_indices(count, 1)
    else:
        first, second = rng.integers(0, count, (2, 2 * MOST_PAIRS))
    apart = np.abs(depth[first] - depth[second]) >= LEAST_SPREAD
    first, second = first[apart][:MOST_PAIRS], second[apart][:MOST_PAIRS]
    if len(first) == 0:
        raise _refusal("Nearly all of the points lie at the same depth: add points nearer and farther away.")
    scales = (metric[second] - metric[first]) / (depth[second] - depth[first])
    nears = metric[first] - scales * depth[first]
    forward = scales > 0
    if not forward.any():
        raise _refusal("What the depth shows as nearer was given a larger distance: check the distances.")
    scales, nears = scales[forward], nears[forward]
    before = nears + scales * depth.min() > 0
    if not before.any():
        raise _refusal("By these distances the nearest depth would lie behind the camera: check the distances.")
    scales, nears = scales[before], nears[before]
    if count <= 3:
        return float(np.median(nears)), float(np.median(scales)), math.inf

    scored = np.arange(count) if count <= MOST_SCORED else rng.choice(count, MOST_SCORED, replace=False)
    errors = _errors(depth[scored], metric[scored], nears[:, None], scales[:, None])
    middle = max(3, len(scored) // 2 + 1) - 1  # two points agree with any pair: with themselves
    medians = np.partition(errors, middle, axis=1)[:, middle]
    best = int(np.argmin(medians))
    if medians[best] > MOST_DISAGREEMENT:
        raise _refusal(
            "The points contradict each other or the depth: half of them are off by more than"
            f" {100 * math.expm1(medians[best]):.0f} %. Check the distances and where they were picked."
        )
    # 1.4826: from the median of errors to their standard deviation; 5 / n: Rousseeuw and Leroy, 1987, for few points
    spread = 1.4826 * (1 + 5 / max(count - 2, 1)) * float(medians[best])
    return float(nears[best]), float(scales[best]), max(2.5 * spread, AGREE)


def _least_squares(depth: np.ndarray, metric: np.ndarray) -> tuple[float, float]:
    """Near and scale with the least squares of relative errors; both positive."""
    rows = np.stack([1 / metric, depth / metric], axis=1)
    near, scale = np.linalg.lstsq(rows, np.ones(len(metric)), rcond=None)[0]
    if scale <= 0:
        raise _refusal("What the depth shows as nearer was given a larger distance: check the distances.")
    if near >= LEAST_NEAR * (near + scale):
        return float(near), float(scale)
    # Near would lie at the camera or behind it, by a hair or by an error of the points: the nearest that there can be.
    before = float(np.median(_errors(depth, metric, near, scale)))
    column = (LEAST_NEAR + depth * (1 - LEAST_NEAR)) / metric
    far = float(column.sum() / (column @ column))
    if float(np.median(_errors(depth, metric, LEAST_NEAR * far, far))) > before + 2 * AGREE:
        raise _refusal("By these distances the nearest depth would lie behind the camera: check the distances.")
    return LEAST_NEAR * far, far * (1 - LEAST_NEAR)


def _expected_error(depth: np.ndarray, metric: np.ndarray, near: float, scale: float) -> float:
    """Standard error of metric depth from the covariance of the fit: root mean square over the range, relative."""
    rows = np.stack([1 / metric, depth / metric], axis=1)
    squares = float(np.sum(_errors(depth, metric, near, scale) ** 2)) + 2 * KNOWN_WITHIN**2
    covariance = np.linalg.pinv(rows.T @ rows) * squares / len(depth)
    across = np.linspace(0, 1, 11)
    ends = np.stack([np.ones_like(across), across], axis=1)
    variance = np.einsum("ni,ij,nj->n", ends, covariance, ends) / (near + across * scale) ** 2
    return float(np.sqrt(variance.mean()))
