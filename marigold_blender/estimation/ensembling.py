# SPDX-License-Identifier: GPL-3.0-or-later
"""Merges the members of an ensemble into one depth map with its uncertainty. Called by `estimator`.

Each member is affine-invariant, so each is given a scale and a shift before their median is taken (Ke et al., CVPR 2024,
section 3.4). The official code hands the sum of all pairs' RMS differences to a general solver that walks all pixels
at every trial. The squared difference of a pair is a quadratic form in the members' second moments: here pixels are
read once for these, and the solver works with a few numbers and an exact gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it

from .minimising import minimise

ALIGNED_EDGE = 1024  # members are aligned at up to this long edge, as in the official code
RANGE_EDGE = 256  # the median's range is looked for at up to this long edge
EXTREME_PIXELS = 256  # at each end of the range, followed while the alignment is sought
MAX_REFRESHES = 4  # of these pixels, when others have become the extreme ones
SMALLEST_RANGE = 1e-6  # below it a map is constant
SMOOTHING = 1e-14  # under the square roots: members may be identical
MOMENT_PIECE = 1 << 15
MERGED_AT_ONCE = 1 << 20  # values: what merging holds besides the members


@dataclass(frozen=True)
class Alignment:
    """Scale and shift of each member, [E] float64; the median of the aligned members spans 0 to 1 (at 256 px)."""

    scales: np.ndarray
    shifts: np.ndarray


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
    """The scales and shifts that bring the members closest to each other, as a share of their median's range.

    The official objective adds a weak term that keeps the median within 0 to 1, because shrinking every member would
    satisfy the pairs alone. What it holds up is only a unit, which normalising the result takes out again: dividing by
    the range asks the same without that weight. Scales stay positive: no member is turned inside out.

    Args:
        members: [E, H, W] float32 on the CPU.
    """
    moments = _Moments.of(_at_most(members, ALIGNED_EDGE))
    pixels = _at_most(members, RANGE_EDGE).double().numpy()  # [E, N]
    nearest, farthest = pixels.min(axis=1), pixels.max(axis=1)
    # The official code's first guess: every member spans 0 to 1.
    log_scales = -np.log(np.maximum(farthest - nearest, SMALLEST_RANGE))
    parameters = np.concatenate([log_scales, -np.exp(log_scales) * nearest])
    for _ in range(MAX_REFRESHES):
        extremes = _extreme_pixels(pixels, parameters)
        if extremes is None:
            break  # the median is constant: nothing to be aligned to
        result = minimise(lambda trial, at=extremes: _misalignment(trial, moments, at), parameters, check)
        settled = np.ptp(_median(pixels, result)) <= 1.001 * np.ptp(_median(extremes, result))
        parameters = result
        if settled:
            break
    return _spanning_unit_range(pixels, parameters)


@dataclass(frozen=True)
class _Moments:
    """All that the pairs' differences need to know of the pixels: means [E] and covariances [E, E]."""

    means: np.ndarray
    covariances: np.ndarray

    @classmethod
    def of(cls, pixels: torch.Tensor) -> _Moments:
        """Moments of [E, N], summed in double precision in pieces that stay in the processor's cache."""
        count, size = pixels.shape
        centre = pixels[:, :1]  # near enough to the mean to keep digits
        sums, products = torch.zeros(count, dtype=torch.float64), torch.zeros(count, count, dtype=torch.float64)
        for piece in pixels.split(MOMENT_PIECE, dim=1):
            centred = (piece - centre).double()
            sums += centred.sum(dim=1)
            products += centred @ centred.T
        means = sums / size
        covariances = products / size - torch.outer(means, means)
        return cls((means + centre[:, 0]).numpy(), covariances.numpy())


def _misalignment(parameters: np.ndarray, moments: _Moments, extremes: np.ndarray) -> tuple[float, np.ndarray]:
    """The pairs' RMS differences, summed, by the range of the median; and the gradient for [log scales, shifts].

    With a_i = s_i d_i + t_i, mean (a_i - a_j)^2 = s_i^2 C_ii + s_j^2 C_jj - 2 s_i s_j C_ij + (mean a_i - mean a_j)^2.
    """
    count = len(moments.means)
    scales, shifts = np.exp(parameters[:count]), parameters[count:]
    covariances = scales[:, None] * moments.covariances * scales  # of the aligned members
    variances = covariances.diagonal()
    apart = np.subtract.outer(scales * moments.means + shifts, scales * moments.means + shifts)
    squares = variances[:, None] + variances - 2.0 * covariances + apart**2
    distances = np.sqrt(np.maximum(squares, 0.0) + SMOOTHING)
    total = (distances.sum() - distances.trace()) / 2.0
    weights = 1.0 / distances
    np.fill_diagonal(weights, 0.0)
    from_shifts = (weights * apart).sum(axis=1)
    from_scales = (weights * (variances[:, None] - covariances)).sum(axis=1) + from_shifts * scales * moments.means
    gradient = np.concatenate([from_scales, from_shifts])

    span, span_gradient = _range_of_median(extremes, scales, shifts)
    return total / span, (gradient - total / span * span_gradient) / span


def _range_of_median(pixels: np.ndarray, scales: np.ndarray, shifts: np.ndarray) -> tuple[float, np.ndarray]:
    """Range of the median over `pixels` [E, M], and its gradient: that of the members that are the median at its ends."""
    count = len(scales)
    aligned = pixels * scales[:, None] + shifts[:, None]
    median = np.partition(aligned, (count - 1) // 2, axis=0)[(count - 1) // 2]
    gradient = np.zeros(2 * count)
    ends = []
    for pixel, sign in ((median.argmax(), 1.0), (median.argmin(), -1.0)):
        member = int(np.abs(aligned[:, pixel] - median[pixel]).argmin())
        gradient[member] += sign * scales[member] * pixels[member, pixel]
        gradient[count + member] += sign
        ends.append(median[pixel])
    return max(float(ends[0] - ends[1]), SMALLEST_RANGE), gradient


def _median(pixels: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Lower median [N] of the aligned members."""
    count = len(pixels)
    aligned = pixels * np.exp(parameters[:count, None]) + parameters[count:, None]
    return np.partition(aligned, (count - 1) // 2, axis=0)[(count - 1) // 2]


def _extreme_pixels(pixels: np.ndarray, parameters: np.ndarray) -> np.ndarray | None:
    """The pixels [E, M] where the median is lowest and highest; None where it is constant."""
    median = _median(pixels, parameters)
    if np.ptp(median) < SMALLEST_RANGE:
        return None
    if median.size <= 2 * EXTREME_PIXELS:
        return pixels
    order = np.argpartition(median, (EXTREME_PIXELS, median.size - EXTREME_PIXELS))
    return pixels[:, np.concatenate([order[:EXTREME_PIXELS], order[-EXTREME_PIXELS:]])]


def _spanning_unit_range(pixels: np.ndarray, parameters: np.ndarray) -> Alignment:
    count = len(pixels)
    median = _median(pixels, parameters)
    span = max(float(np.ptp(median)), SMALLEST_RANGE)
    return Alignment(np.exp(parameters[:count]) / span, (parameters[count:] - median.min()) / span)


def _at_most(members: torch.Tensor, longest_edge: int) -> torch.Tensor:
    """The members' pixels [E, N] at a long edge of at most `longest_edge`."""
    longest = max(members.shape[1:])
    if longest > longest_edge:
        size = [max(1, edge * longest_edge // longest) for edge in members.shape[1:]]
        members = F.interpolate(members[:, None], size, mode="nearest-exact")[:, 0]
    return members.reshape(len(members), -1)
