# SPDX-License-Identifier: GPL-3.0-or-later
"""Depth metrics after affine alignment (Marigold's protocol), boundary F1 (Depth Pro), two baselines. Numpy only."""

from __future__ import annotations

import numpy as np

BOUNDARY_RATIOS = np.linspace(1.05, 1.25, 10)  # Depth Pro, section 3.3: thresholds, weighted by themselves


def aligned(prediction: np.ndarray, truth: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """The prediction with the least-squares scale and shift over valid pixels, clipped to the valid truth's range."""
    x, y = prediction[valid].astype(np.float64), truth[valid].astype(np.float64)
    design = np.stack([x, np.ones_like(x)], 1)
    (scale, shift), *_ = np.linalg.lstsq(design, y, rcond=None)
    return np.clip(prediction * scale + shift, y.min(), y.max())


def depth_metrics(prediction: np.ndarray, truth: np.ndarray, valid: np.ndarray) -> dict[str, float]:
    """Metrics of one picture.

    Args:
        prediction: [H, W] affine-invariant depth.
        truth: [H, W] planar depth; valid: [H, W] bool.

    Returns:
        abs_rel, rmse, delta1..3, range_error (mean error as a share of the truth's range), boundary_f1.
    """
    fitted = aligned(prediction, truth, valid)
    x, y = fitted[valid], truth[valid].astype(np.float64)
    ratio = np.maximum(x / y, y / x)
    error = np.abs(x - y)
    return {
        "abs_rel": float(np.mean(error / y)),
        "rmse": float(np.sqrt(np.mean(error**2))),
        "delta1": float(np.mean(ratio < 1.25)),
        "delta2": float(np.mean(ratio < 1.25**2)),
        "delta3": float(np.mean(ratio < 1.25**3)),
        "range_error": float(error.mean() / max(y.max() - y.min(), 1e-9)),
        "boundary_f1": boundary_f1(fitted, np.where(valid, truth, np.nan)),
    }


def boundary_f1(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Depth Pro's boundary F1: do neighbours whose depths differ by a ratio in the truth do so in the prediction?

    Each direction (left, right, up, down) counts by itself; the thresholds' scores are averaged with the thresholds as
    weights. Pairs with a pixel that is not a number are left out.
    """
    scores = []
    for ratio in BOUNDARY_RATIOS:
        hits = found = wanted = 0
        for axis in (0, 1):
            for sign in (1, -1):
                mine, true = (_jumps(depth, axis, sign, ratio) for depth in (prediction, truth))
                known = np.isfinite(np.diff(truth, axis=axis))
                hits += int((mine & true & known).sum())
                found += int((mine & known).sum())
                wanted += int((true & known).sum())
        precision, recall = hits / max(found, 1), hits / max(wanted, 1)
        scores.append(2 * precision * recall / max(precision + recall, 1e-9))
    return float(np.average(scores, weights=BOUNDARY_RATIOS))


def _jumps(depth: np.ndarray, axis: int, sign: int, ratio: float) -> np.ndarray:
    first, second = (np.delete(depth, index, axis) for index in (-1, 0))
    near, far = (first, second) if sign > 0 else (second, first)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(far / near > ratio)


def constant_baseline(truth: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """The best that a picture without depth can do."""
    return np.full(truth.shape, truth[valid].mean())


def ramp_baseline(truth: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """The best of the form a * row + b."""
    rows = np.broadcast_to(np.arange(truth.shape[0])[:, None], truth.shape).astype(np.float64)
    return aligned(rows, truth, valid)
