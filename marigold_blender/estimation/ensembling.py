# SPDX-License-Identifier: GPL-3.0-or-later
"""Merges the members of an ensemble. Called by `estimator`."""

from __future__ import annotations

from collections.abc import Callable

import torch


def merge_members(members: torch.Tensor, check: Callable[[], None] = lambda: None) -> tuple[torch.Tensor, torch.Tensor]:
    from diffusers import MarigoldDepthPipeline

    d, u = MarigoldDepthPipeline.ensemble_depth(members[:, None], output_uncertainty=True)
    return d[0, 0], u[0, 0]
