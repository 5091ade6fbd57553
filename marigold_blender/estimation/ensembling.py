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
from functools import lru_cache, partial
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it

from .minimising import minimise

ALIGNED_EDGE = 1024  # members are aligned at up to this long edge, as in the official code
SMALLEST_RANGE = 1e-6  # below it a map is constant
SMOOTHING = 1e-12  # under the square roots: members may be identical
MOMENT_PIECE = 1 << 15
MERGED_AT_ONCE = 1 << 20  # values: what merging holds besides the members


Reduction = Literal["median", "mean"]


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


class Ensemble:
    """The members that have arrived so far; each is read once, for its moments with those before it.

    The order of arrival and how many come at once change nothing. Lives for one photo.
    """

    def __init__(self) -> None:
        self._members: list[torch.Tensor] = []  # each [H, W]
        self._pixels: list[torch.Tensor] = []  # each [N], at the size for aligning
        self._products = np.zeros((0, 0))  # [E, E] float64: sums over pixels of the products of centred members
        self._sums = np.zeros(0)  # [E] float64: sums of centred members
        self._bounds = np.zeros((2, 0))  # [2, E] float64: lowest and highest pixel

    def __len__(self) -> int:
        return len(self._members)

    def add(self, members: torch.Tensor) -> None:
        """Take in members [B, H, W], float32 on the CPU, of the size of those before."""
        before, count = len(self), len(members)
        arrived = _at_most(members, ALIGNED_EDGE)  # [B, N]
        self._members += list(members)
        self._pixels += list(arrived)
        sums, products = _sums_and_products(arrived, self._pixels)
        self._sums = np.concatenate([self._sums, sums])
        self._products = np.pad(self._products, ((0, count), (0, count)))
        self._products[before:] = products
        self._products[:, before:] = products.T
        lowest_and_highest = torch.stack(list(arrived.aminmax(dim=1))).double().numpy()  # [2, B]
        self._bounds = np.concatenate([self._bounds, lowest_and_highest], axis=1)

    def moments(self) -> Moments:
        """Means and covariances of all members so far."""
        size = len(self._pixels[0])
        means = self._sums / size
        centres = np.array([float(pixels[0]) for pixels in self._pixels])
        return Moments(means + centres, self._products / size - np.outer(means, means))

    def align(self, check: Callable[[], None] = lambda: None) -> Alignment:
        """The scales and shifts that bring the members closest to each other.

        Shrinking every member would satisfy the pairs too. The official objective forbids it by a weak term on the
        lowest and highest pixel of the median; what it holds up is only a unit, which normalising the result takes out
        again. Here the unit is held by the members' standard deviations, whose sum stays that of the first guess. A sum
        of distances under a linear condition is convex: there is one minimum, nearly equal members give nearly equal
        results (no single pixel decides), and the official objective comes out lower than by the official solver.
        Scales stay positive: no member is turned inside out.

        Args:
            check: called between the solver's steps; may raise.
        """
        moments = self.moments()
        lowest, highest = self._bounds
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

    def merge(
        self, reduction: Reduction = "median", check: Callable[[], None] = lambda: None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One depth map of the two or more members so far, and how far they depart from it.

        Args:
            reduction: `median`, or `mean`.
            check: called between the solver's steps and between pieces; may raise.

        Returns:
            Depth [H, W], from exactly 0 to 1 (constant members: 0 all over); and uncertainty [H, W] in the same unit:
            the median absolute deviation, or the standard deviation. The median of an even number is the lower of the
            two in the middle, as torch's.
        """
        alignment = self.align(check)
        height, width = self._members[0].shape
        depth, uncertainty = torch.empty(height, width), torch.empty(height, width)
        rows = max(1, MERGED_AT_ONCE // (len(self) * width))
        for top in range(0, height, rows):
            check()
            piece = slice(top, top + rows)
            aligned = torch.stack([member[piece] for member in self._members])  # [E, rows, W]
            for member, scale, shift in zip(aligned, alignment.scales, alignment.shifts, strict=True):
                member.mul_(scale).add_(shift)
            if reduction == "median":
                depth[piece] = lower_median(aligned)
                uncertainty[piece] = lower_median(aligned.sub_(depth[piece]).abs_())
            else:
                depth[piece] = aligned.mean(dim=0)
                uncertainty[piece] = aligned.std(dim=0)
        nearest = depth.min()
        span = (depth.max() - nearest).clamp(min=SMALLEST_RANGE)
        return depth.sub_(nearest).div_(span), uncertainty.div_(span).clamp_(0.0, 1.0)


def lower_median(values: torch.Tensor) -> torch.Tensor:
    """The median along the first axis [E, …]; of an even number of values the lower one of the middle two."""
    ranked = list(values.unbind(0))
    # Whole rows pass the comparators of a sorting network: a third of the time of a selection pixel by pixel.
    for low, high, keeps_low, keeps_high in _median_network(len(ranked)):
        lesser = torch.minimum(ranked[low], ranked[high]) if keeps_low else None
        if keeps_high:
            ranked[high] = torch.maximum(ranked[low], ranked[high])
        if lesser is not None:
            ranked[low] = lesser
    return ranked[(len(ranked) - 1) // 2]


@lru_cache(maxsize=8)
def _median_network(count: int) -> list[tuple[int, int, bool, bool]]:
    """Comparators (low, high, is the lesser needed, is the greater) that bring the lower median to its place.

    Batcher's odd-even merge sort for any count (Knuth, The Art of Computer Programming 3, algorithm 5.2.2M), without
    the comparators whose outcome does not reach the middle.
    """
    comparators = []
    merged = 1
    while merged < count:
        distance = merged
        while distance >= 1:
            for start in range(distance % merged, count - distance, 2 * distance):
                for low in range(start, min(start + distance, count - distance)):
                    if low // (2 * merged) == (low + distance) // (2 * merged):
                        comparators.append((low, low + distance))
            distance //= 2
        merged *= 2
    needed = {(count - 1) // 2}
    kept = []
    for low, high in reversed(comparators):
        if low in needed or high in needed:
            kept.append((low, high, low in needed, high in needed))
            needed |= {low, high}
    return kept[::-1]


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


def _sums_and_products(arrived: torch.Tensor, everyone: list[torch.Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """Sums [B] of new members [B, N], and of their products with all members [B, E]; each less its first pixel.

    Summed in double precision, in pieces that stay in the processor's cache. The first pixel is near enough to the mean
    to keep the digits.
    """
    count, size = arrived.shape
    sums = torch.zeros(count, dtype=torch.float64)
    products = torch.zeros(count, len(everyone), dtype=torch.float64)
    for start in range(0, size, MOMENT_PIECE):
        piece = torch.stack([pixels[start : start + MOMENT_PIECE] - pixels[0] for pixels in everyone]).double()
        sums += piece[-count:].sum(dim=1)
        products += piece[-count:] @ piece.T
    return sums.numpy(), products.numpy()


def _at_most(members: torch.Tensor, longest_edge: int) -> torch.Tensor:
    """The members' pixels [E, N] at a long edge of at most `longest_edge`."""
    longest = max(members.shape[1:])
    if longest > longest_edge:
        size = [max(1, edge * longest_edge // longest) for edge in members.shape[1:]]
        members = F.interpolate(members[:, None], size, mode="nearest-exact")[:, 0]
    return members.reshape(len(members), -1)
