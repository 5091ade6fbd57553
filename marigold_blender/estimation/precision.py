# SPDX-License-Identifier: GPL-3.0-or-later
"""What must not be left to 16-bit numbers. Called by `checkpoint` (last layers) and `estimator` (a repeat in 32 bits).

Between layers 16 bits are enough. A depth in bfloat16 has 256 levels, though, which shows as bands on a mesh, and
float16 overflows on some graphics cards into pictures of NaN.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


class NotFinite(Exception):  # noqa: N818 - not an error of the user's: the estimate is repeated in single precision
    """A network has given infinities or NaN."""


def require_finite(values: torch.Tensor) -> None:
    """Raise `NotFinite` unless all values are finite."""
    if not torch.isfinite(values).all():
        raise NotFinite


def keep_last_layers_exact(network: nn.Module) -> None:
    """Compute the last layers of a U-Net or VAE in single precision, whatever the rest uses."""
    for layer in _last_layers(network):
        layer.float()
        layer.register_forward_pre_hook(_as_weights)


@contextmanager
def single_precision(*networks: nn.Module) -> Iterator[None]:
    """Turn the networks to single precision inside this block; the way there and back changes no weight."""
    dtypes = [next(network.parameters()).dtype for network in networks]
    try:
        for network in networks:
            _turn(network, torch.float32)
        yield
    finally:
        for network, dtype in zip(networks, dtypes, strict=True):
            _turn(network, dtype)
            for layer in _last_layers(network):
                _turn(layer, torch.float32)


def _last_layers(network: Any) -> list[nn.Module]:
    """The U-Net's last convolution; the VAE decoder's, and the one that makes the encoder's latents."""
    layers = [network.decoder.conv_out, network.quant_conv] if hasattr(network, "decoder") else [network.conv_out]
    return [layer for layer in layers if layer is not None]


def _as_weights(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return tuple(values.to(next(layer.parameters()).dtype) for values in inputs)


def _turn(network: nn.Module, dtype: torch.dtype) -> None:
    # Not network.to(): diffusers warns about it.
    for parameter in network.parameters():
        parameter.data = parameter.data.to(dtype)
