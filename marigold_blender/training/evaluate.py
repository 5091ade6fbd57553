# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold evaluate`: how well a model predicts the depth of a data set, beside two baselines on the same pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..estimation.estimator import Estimator
from ..settings import EstimateSettings
from .dataset import SampleFile
from .metrics import constant_baseline, depth_metrics, ramp_baseline

FAR_ENOUGH = 0.9  # sky should come out at least this far
ENDS = (2, 98)  # % of the pixels, as training normalises depth


def evaluate_model(
    samples: Sequence[SampleFile],
    model: Path,
    settings: EstimateSettings,
    report: Callable[[int, int], None],
    device: str = "auto",
) -> dict[str, Any]:
    """Mean metrics over a data set.

    Args:
        samples: pictures with truth; the seed of picture i is `settings.seed + i`.
        settings: steps and ensemble 0 mean the model's own steps, and a single prediction.

    Returns:
        Mean metrics by name, `images`, `per_image` (rows with `name`), and the same metrics of the baselines under
        `baselines` (`constant`, `ramp`). `sky_far`: share of sky pixels that are predicted >= 0.9; of all sky pixels of
        the data set together, and in `per_image` of the picture's (None without sky; `sky_pixels` counts them).
        `near_end`, `far_end`: the 2 % and 98 % quantiles of depth as it is predicted, before any alignment, over pixels
        whose truth is known: a model that squeezes its range shows nowhere else.
    """
    estimator = Estimator.load(model, device)
    settings = replace(settings, ensemble=settings.ensemble or 1, steps=settings.steps or estimator.default_steps)
    settings = settings.resolved(estimator.default_steps, estimator.default_resolution)
    rows: list[dict[str, Any]] = []
    baselines: dict[str, list[dict[str, float]]] = {"constant": [], "ramp": []}
    for i, sample_file in enumerate(samples):
        sample = sample_file.read()
        prediction = estimator.estimate(
            sample.rgb, replace(settings, seed=settings.seed + i), lambda *_: None, lambda: False
        ).depth
        valid = sample.valid
        row: dict[str, Any] = {"name": sample.name, **depth_metrics(prediction, sample.depth, valid)}
        row["near_end"], row["far_end"] = (float(end) for end in np.percentile(prediction[valid], ENDS))
        sky = np.isposinf(sample.depth)
        row["sky_far"] = float(np.mean(prediction[sky] >= FAR_ENOUGH)) if sky.any() else None
        row["sky_pixels"] = int(sky.sum())
        rows.append(row)
        baselines["constant"].append(depth_metrics(constant_baseline(sample.depth, valid), sample.depth, valid))
        ramp = depth_metrics(ramp_baseline(sample.depth, valid), sample.depth, valid)
        baselines["ramp"].append(ramp)
        row |= {"ramp_abs_rel": ramp["abs_rel"], "ramp_delta1": ramp["delta1"]}
        report(i + 1, len(samples))
    return {
        **_means(rows),
        "sky_far": sky_share(rows),
        "images": len(rows),
        "model": str(model),
        "revision": estimator.revision,
        "steps": settings.steps,
        "ensemble": settings.ensemble,
        "resolution": settings.resolution,
        "baselines": {name: _means(each) for name, each in baselines.items()},
        "per_image": rows,
    }


def sky_share(rows: Sequence[dict[str, Any]]) -> float | None:
    """Share of the sky pixels of several pictures that come out far; None if they have no sky."""
    total = sum(row["sky_pixels"] for row in rows)
    return sum(row["sky_far"] * row["sky_pixels"] for row in rows if row["sky_pixels"]) / total if total else None


def _means(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    other = ("name", "sky_far", "sky_pixels")
    names = [name for name in rows[0] if name not in other and not name.startswith("ramp_")]
    return {name: float(np.mean([row[name] for row in rows])) for name in names}
