# SPDX-License-Identifier: GPL-3.0-or-later
"""From a photo of any size to the picture that the network sees, and back. Called by `estimator`.

The arithmetic follows `MarigoldImageProcessor` of diffusers step for step: results agree with the stock pipeline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it

Resampling = Literal["nearest", "nearest-exact", "bilinear", "bicubic", "area"]


@dataclass(frozen=True)
class NetworkPicture:
    """A photo as the network takes it.

    Attributes:
        image: [1, 3, PPH, PPW] in [-1, 1], padded at the right and the bottom to a multiple of the VAE's factor.
        height, width: size before padding (PH, PW).
    """

    image: torch.Tensor
    height: int
    width: int


def processing_size(height: int, width: int, resolution: int) -> tuple[int, int]:
    """Height and width with the long edge scaled to `resolution` (up as well as down); 0 keeps the photo's own size."""
    if resolution == 0:
        return height, width
    longest = max(height, width)
    return max(1, height * resolution // longest), max(1, width * resolution // longest)


def to_network_picture(
    pixels: np.ndarray,
    resolution: int,
    factor: int,
    resampling: Resampling = "bilinear",
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float32,
) -> NetworkPicture:
    """Scale, resize and pad a photo for the VAE.

    Args:
        pixels: [H, W, 3] uint8, or float32 in [0, 1].
        resolution: long edge in pixels; 0 = as large as the photo.
        factor: how much smaller the VAE's latents are than its picture.
    """
    height, width = processing_size(pixels.shape[0], pixels.shape[1], resolution)
    channels = []
    # One channel at a time: of a photo of 100 megapixels only a third is ever held as floats.
    for index in range(3):
        channel = torch.tensor(pixels[None, None, :, :, index], dtype=torch.float32)  # [1, 1, H, W], a copy
        if pixels.dtype == np.uint8:
            channel.div_(255.0)
        channel.mul_(2.0).sub_(1.0)
        if resolution > 0:
            antialias = resampling in ("bilinear", "bicubic")
            channel = F.interpolate(channel, (height, width), mode=resampling, antialias=antialias)
        channels.append(channel)
    image = torch.cat(channels, dim=1).to(device=device, dtype=dtype)  # [1, 3, PH, PW]
    image = F.pad(image, (0, -width % factor, 0, -height % factor), mode="replicate")  # [1, 3, PPH, PPW]
    return NetworkPicture(image, height, width)


def resize_pixels(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """[H, W, 3] as [height, width, 3] float32 in [0, 1]; a channel at a time, for the memory's sake."""
    resized = np.empty((height, width, 3), np.float32)
    for index in range(3):
        channel = torch.tensor(pixels[None, None, :, :, index], dtype=torch.float32)  # [1, 1, H, W], a copy
        if pixels.dtype == np.uint8:
            channel.div_(255.0)
        if channel.shape[2:] != (height, width):
            channel = F.interpolate(channel, (height, width), mode="bilinear", antialias=True)
        resized[..., index] = channel[0, 0].clamp_(0.0, 1.0).numpy()
    return resized


def to_photo_size(values: torch.Tensor, height: int, width: int, resampling: Resampling = "bilinear") -> np.ndarray:
    """Resize a map [PH, PW] to the photo's size: [H, W] float32 in [0, 1]."""
    resized = F.interpolate(values[None, None].float(), (height, width), mode=resampling)  # [1, 1, H, W]
    return np.ascontiguousarray(resized[0, 0].clamp_(0.0, 1.0).cpu().numpy())
