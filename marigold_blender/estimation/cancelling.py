# SPDX-License-Identifier: GPL-3.0-or-later
"""Stops a running network from inside, within one layer. Called by `estimator`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn

from ..errors import MarigoldError


def stop_if(cancelled: Callable[[], bool]) -> None:
    """Raise `MarigoldError("cancelled")` when the job was cancelled."""
    if cancelled():
        raise MarigoldError("cancelled", "The estimate was cancelled.")


@contextmanager
def cancellable(
    networks: Sequence[nn.Module], cancelled: Callable[[], bool], undivided: Sequence[nn.Module] = ()
) -> Iterator[None]:
    """Ask `cancelled` before every layer that runs inside this block; of `undivided` networks before each pass.

    A full-size network takes many seconds for one step on a CPU; its layers take a fraction of one each. The weights
    are untouched by the exception and the hooks go with it, so the next job can use the networks at once.
    """

    def ask(_module: nn.Module, _inputs: Any) -> None:
        stop_if(cancelled)

    asked = [module for network in networks for module in ([network] if network in undivided else network.modules())]
    hooks = [module.register_forward_pre_hook(ask) for module in asked]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
