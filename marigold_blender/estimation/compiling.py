# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiles the U-Net once a shape has come back, where the user wishes it. Called by `estimator`.

Compiling takes a minute or more and pays only if many pictures of one size follow, so it waits for the third job of a
shape. What cannot be compiled, for want of a compiler for example, runs as before.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from .devices import compiling_is_wished, is_out_of_memory

JOBS_BEFORE = 2
NOT_FOR = ("mps",)  # whose compiled kernels are not trusted yet

Shape = tuple[int, int]


class RepeatedShapes:
    """Counts the jobs of each shape, and has `network` compiled for those that repeat."""

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self._network = network
        self._device = device
        self._done: Counter[Shape] = Counter()
        self._compiled: Callable[..., Any] | None = None
        self._fails = False

    @contextmanager
    def turn(self, shape: Shape) -> Iterator[tuple[nn.Module, ...]]:
        """One job; gives the networks that are compiled during it: nothing may reach into them."""
        if not self._is_worth_it(shape):
            yield ()
        else:
            plain = self._network.forward
            self._network.forward = self._forward(plain)
            try:
                yield (self._network,)
            finally:
                self._network.forward = plain
        self._done[shape] += 1

    def _is_worth_it(self, shape: Shape) -> bool:
        known = self._done[shape] >= JOBS_BEFORE
        return known and compiling_is_wished() and not self._fails and self._device.type not in NOT_FOR

    def _forward(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        if self._compiled is None:
            self._compiled = torch.compile(plain)
        compiled = self._compiled

        def forward(*arguments: Any, **named: Any) -> Any:
            if not self._fails:
                try:
                    return compiled(*arguments, **named)
                except Exception as error:  # compilers fail in any way
                    if is_out_of_memory(error):
                        raise
                    self._fails = True
                    print(f"torch.compile failed, going on without: {error}", file=sys.stderr)
            return plain(*arguments, **named)

        return forward
