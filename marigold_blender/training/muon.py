# SPDX-License-Identifier: GPL-3.0-or-later
"""Muon: momentum whose matrices are orthogonalised before each step, for training small networks from nothing.

Called by `loop.py`. From nothing it came further in fewer steps than AdamW in the one comparison made
(docs/training.md); fine-tuning keeps AdamW, as the paper does. torch.optim.Muon takes matrices only, and most
weights of a U-Net are convolution kernels.
Sources: K. Jordan, "Muon: an optimizer for hidden layers in neural networks" (2024); the scale of the step, which makes
it as large as one of AdamW's: Liu et al., "Muon is scalable for LLM training" (2025), section 2.2.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from ..estimation.devices import has_bfloat16

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5
WIDE = 4  # columns to rows from where on the Gram matrix is the cheaper way, as in 3x3 kernels


class Muon(torch.optim.Optimizer):
    """Steps kernels and matrices by Muon, everything else (first and last layer, norms, biases) by AdamW.

    Args:
        named: the network's named parameters.
        lr: of the matrices; others follow at `plain_share` of it.
        outer: names that contain one of these are not hidden layers.
    """

    def __init__(
        self,
        named: Iterable[tuple[str, torch.nn.Parameter]],
        lr: float,
        weight_decay: float,
        momentum: float = 0.95,
        plain_share: float = 0.3,
        outer: tuple[str, ...] = ("conv_in", "conv_out", "time_emb"),
    ) -> None:
        hidden: list[torch.nn.Parameter] = []
        plain: list[torch.nn.Parameter] = []
        for name, parameter in named:
            is_hidden = parameter.ndim >= 2 and not any(part in name for part in outer)
            (hidden if is_hidden else plain).append(parameter)
        groups = [{"params": hidden, "hidden": True, "share": 1.0}, {"params": plain, "share": plain_share}]
        defaults = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "hidden": False}
        super().__init__(groups, defaults)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # takes no closure
        for group in self.param_groups:
            rate = group["lr"] * group["share"]
            moved = [parameter for parameter in group["params"] if parameter.grad is not None]
            for parameter in moved:
                parameter.mul_(1 - rate * group["weight_decay"])
            if group["hidden"]:
                self._orthogonal_steps(moved, rate, group["momentum"])
            else:
                for parameter in moved:
                    _adam_step(parameter, parameter.grad, self.state[parameter], rate)

    def _orthogonal_steps(self, parameters: list[torch.nn.Parameter], rate: float, momentum: float) -> None:
        """Nesterov momentum, made orthogonal; scaled so that its entries are as large as AdamW's steps.

        Matrices of one shape are made orthogonal together, which halves the time of a small network's step.
        """
        same_shape: dict[torch.Size, list[torch.nn.Parameter]] = {}
        for parameter in parameters:
            same_shape.setdefault(parameter.flatten(1).shape, []).append(parameter)
        for shape, alike in same_shape.items():
            matrices = torch.stack([self._gathered(parameter, momentum) for parameter in alike])
            for parameter, matrix in zip(alike, orthogonalised(matrices), strict=True):
                parameter.add_(matrix.view_as(parameter), alpha=-rate * 0.2 * max(shape) ** 0.5)

    def _gathered(self, parameter: torch.nn.Parameter, momentum: float) -> torch.Tensor:
        """The gradient after momentum, as a matrix: [out, in * height * width]."""
        assert parameter.grad is not None
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].mul_(momentum).add_(parameter.grad)
        return (parameter.grad + momentum * state["momentum"]).flatten(1)


def _adam_step(parameter: torch.Tensor, gradient: torch.Tensor, state: dict[str, Any], rate: float) -> None:
    if not state:
        state["mean"], state["square"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        state["step"] = torch.zeros(())
    state["step"] += 1
    step = int(state["step"])
    state["mean"].lerp_(gradient, 1 - 0.9)
    state["square"].lerp_(gradient.square(), 1 - 0.99)
    spread = (state["square"] / (1 - 0.99**step)).sqrt_().add_(1e-8)
    parameter.addcdiv_(state["mean"] / (1 - 0.9**step), spread, value=-rate)


def orthogonalised(matrices: torch.Tensor) -> torch.Tensor:
    """[..., rows, columns] with about the same singular vectors and all singular values near 1, by Newton-Schulz."""
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices  # [..., m, n], m <= n
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    x = _by_gram_matrix(x.float()) if x.shape[-1] > WIDE * x.shape[-2] else _directly(x.to(_fast_type(x.device)))
    return (x.mT if tall else x).to(matrices.dtype)


def _fast_type(device: torch.device) -> torch.dtype:
    """bfloat16 is enough for these steps, but slower than float32 where it is emulated."""
    return torch.bfloat16 if has_bfloat16(device) else torch.float32


def _directly(x: torch.Tensor) -> torch.Tensor:
    a, b, c = NEWTON_SCHULZ
    for _ in range(NEWTON_SCHULZ_STEPS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x


def _by_gram_matrix(x: torch.Tensor) -> torch.Tensor:
    """The same steps on the small [..., m, m] Gram matrix, applied to the wide one at the end: 0.7 of the time.

    Every step is a polynomial of the Gram matrix, so all of them commute. In float32: bfloat16's rounding would make
    eigenvalues near zero negative, and the steps would blow them up.
    """
    a, b, c = NEWTON_SCHULZ
    gram = x @ x.mT
    identity = torch.eye(gram.shape[-1], device=x.device)
    total = identity
    for _ in range(NEWTON_SCHULZ_STEPS):
        turn = a * identity + b * gram + c * gram @ gram
        total = turn @ total
        gram = turn @ gram @ turn
    return total @ x
