# SPDX-License-Identifier: GPL-3.0-or-later
"""Merges the members of an ensemble into one depth map with its uncertainty. Called by `estimator`.

Each member is affine-invariant, so each is given a scale and a shift before their median is taken (Ke et al., CVPR
2024, section 3.4). The official code hands the sum of all pairs' RMS differences to a general solver that walks all
pixels at every trial. The squared difference of a pair is a quadratic form in the members' means and covariances: here
pixels are read once for these, and the solver works with a few numbers and an exact gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it

from .minimising import minimise

ALIGNED_EDGE = 1024  # members are aligned at up to this long edge, as in the official code
SMALLEST_RANGE = 1e-6  # below it a map is constant
SMOOTHING = 1e-12  # under the square roots: members may be identical
MOMENT_PIECE = 1 << 15
MERGED_AT_ONCE = 1 << 20  # values: what merging holds besides the members


@dataclass(frozen=True)
class Alignment:
    """Scale and shift of each member, [E] float64."""

    scales: np.ndarray
    shifts: np.ndarray


@dataclass(frozen=True)
class Moments:
    """All that the pairs' differences need to know of the pixels: means [E] and covariances [E, E]."""

    means: np.ndarray
    covariances: np.ndarray

    @property
    def deviations(self) -> np.ndarray:
        return np.sqrt(np.maximum(self.covariances.diagonal(), 0.0))


def merge_members(members: torch.Tensor, check: Callable[[], None] = lambda: None) -> tuple[torch.Tensor, torch.Tensor]:
    """The members' median after alignment, and how far they depart from it.

    Args:
        members: [E, H, W] float32 on the CPU, E of 2 or more.
        check: called between the solver's steps; may raise.

    Returns:
        Depth [H, W], from exactly 0 to 1 (constant members: 0 all over); and uncertainty [H, W], the median absolute
        deviation in the same unit. The median of an even number is the lower of the two in the middle, as torch's.
    """
    alignment = align_members(members, check)
    count, height, width = members.shape
    scales = torch.from_numpy(alignment.scales).float()[:, None, None]
    shifts = torch.from_numpy(alignment.shifts).float()[:, None, None]
    depth, uncertainty = torch.empty(height, width), torch.empty(height, width)
    rows = max(1, MERGED_AT_ONCE // (count * width))
    for top in range(0, height, rows):
        check()
        aligned = members[:, top : top + rows] * scales + shifts  # [E, rows, W]
        depth[top : top + rows] = lower_median(aligned)
        deviation = aligned.sub_(depth[top : top + rows]).abs_()
        uncertainty[top : top + rows] = lower_median(deviation)
    nearest = depth.min()
    span = (depth.max() - nearest).clamp(min=SMALLEST_RANGE)
    return depth.sub_(nearest).div_(span), uncertainty.div_(span).clamp_(0.0, 1.0)


def lower_median(values: torch.Tensor) -> torch.Tensor:
    """The median along the first axis; of an even number of values the lower one of the middle two."""
    middle = (len(values) - 1) // 2
    # numpy selects with the processor's wide registers: half of the time of torch's median.
    return torch.from_numpy(np.partition(values.numpy(), middle, axis=0)[middle])


def align_members(members: torch.Tensor, check: Callable[[], None] = lambda: None) -> Alignment:
    """The scales and shifts that bring the members closest to each other.

    Shrinking every member would satisfy the pairs too. The official objective forbids it by a weak term on the lowest
    and highest pixel of the median; what it holds up is only a unit, which normalising the result takes out again. Here
    the unit is held by the members' standard deviations, whose sum stays that of the first guess. A sum of distances
    under a linear condition is convex: there is one minimum, nearly equal members give nearly equal results (no single
    pixel decides), and the official objective comes out lower than by the official solver. Scales stay positive: no
    member is turned inside out.

    Args:
        members: [E, H, W] float32 on the CPU.
    """
    pixels = _at_most(members, ALIGNED_EDGE)  # [E, N]
    moments = measure_moments(pixels)
    lowest, highest = (bound.double().numpy() for bound in pixels.aminmax(dim=1))
    # The first guess is the official code's: every member spans 0 to 1.
    first_scales = 1.0 / np.maximum(highest - lowest, SMALLEST_RANGE)
    first_means = first_scales * (moments.means - lowest)  # of the members, once aligned
    start = np.concatenate([np.log(first_scales), first_means])
    found = minimise(partial(misalignment, moments=moments), start, check)

    scales, means = np.exp(found[: len(lowest)]), found[len(lowest) :]
    deviations = moments.deviations
    unit = (first_scales @ deviations) / max(scales @ deviations, SMALLEST_RANGE)
    means = (means - means.mean()) * unit + first_means.mean()
    return Alignment(scales * unit, means - scales * unit * moments.means)


def misalignment(parameters: np.ndarray, moments: Moments) -> tuple[float, np.ndarray]:
    """The pairs' RMS differences, summed, by the sum of the members' standard deviations; and the gradient.

    With a_i = s_i d_i + t_i, mean (a_i - a_j)^2 = s_i^2 C_ii + s_j^2 C_jj - 2 s_i s_j C_ij + (mean a_i - mean a_j)^2.

    Args:
        parameters: [2 E]: log s_i, then mean a_i.
    """
    count = len(moments.means)
    scales, means = np.exp(parameters[:count]), parameters[count:]
    covariances = scales[:, None] * moments.covariances * scales  # of the aligned members
    variances = covariances.diagonal()
    apart = means[:, None] - means
    squares = variances[:, None] + variances - 2.0 * covariances + apart**2
    distances = np.sqrt(np.maximum(squares, 0.0) + SMOOTHING)
    total = (distances.sum() - distances.trace()) / 2.0
    weights = 1.0 / distances
    from_scales = (weights * (variances[:, None] - covariances)).sum(axis=1)
    gradient = np.concatenate([from_scales, (weights * apart).sum(axis=1)])

    spreads = scales * moments.deviations
    spread = float(spreads.sum()) + SMALLEST_RANGE
    spread_gradient = np.concatenate([spreads, np.zeros(count)])
    return total / spread, (gradient - total / spread * spread_gradient) / spread


def measure_moments(pixels: torch.Tensor) -> Moments:
    """Moments of members [E, N], summed in double precision in pieces that stay in the processor's cache."""
    count, size = pixels.shape
    centre = pixels[:, :1]  # near enough to the mean to keep digits
    sums, products = torch.zeros(count, dtype=torch.float64), torch.zeros(count, count, dtype=torch.float64)
    for start in range(0, size, MOMENT_PIECE):
        centred = (pixels[:, start : start + MOMENT_PIECE] - centre).double()
        sums += centred.sum(dim=1)
        products += centred @ centred.T
    means = sums / size
    covariances = products / size - torch.outer(means, means)
    return Moments((means + centre[:, 0]).numpy(), covariances.numpy())


def _at_most(members: torch.Tensor, longest_edge: int) -> torch.Tensor:
    """The members' pixels [E, N] at a long edge of at most `longest_edge`."""
    longest = max(members.shape[1:])
    if longest > longest_edge:
        size = [max(1, edge * longest_edge // longest) for edge in members.shape[1:]]
        members = F.interpolate(members[:, None], size, mode="nearest-exact")[:, 0]
    return members.reshape(len(members), -1)
