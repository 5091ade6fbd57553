# SPDX-License-Identifier: GPL-3.0-or-later
"""Stops a running network from inside, within one layer. Called by `estimator`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from ..errors import MarigoldError


def stop_if(cancelled: Callable[[], bool]) -> None:
    """Raise `MarigoldError("cancelled")` when the job was cancelled."""
    if cancelled():
        raise MarigoldError("cancelled", "The estimate was cancelled.")


@contextmanager
def cancellable(networks: list[nn.Module], cancelled: Callable[[], bool]) -> Iterator[None]:
    """Ask `cancelled` before every layer that runs inside this block.

    A full-size network takes many seconds for one step on a CPU; its layers take a fraction of one each. The weights
    are untouched by the exception and the hooks go with it, so the next job can use the networks at once.
    """

    def ask(_module: nn.Module, _inputs: Any) -> None:
        stop_if(cancelled)

    hooks = [module.register_forward_pre_hook(ask) for network in networks for module in network.modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
