# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a picture may be. Standard library only: asked by photo readers and by Blender before pixels are read."""

from __future__ import annotations

from .errors import MarigoldError

MAX_PIXELS = 256_000_000  # 16000 x 16000; its depth map alone takes a gigabyte
MIN_EDGE = 8  # the VAE sees at least one latent pixel


def check_size(name: str, width: int, height: int) -> None:
    """Refuse a picture that is too large or too small, before it is decoded.

    Raises:
        MarigoldError: `bad_input`.
    """
    if width * height > MAX_PIXELS:
        raise MarigoldError(
            "bad_input",
            f"{name} has {width} × {height} pixels, over {MAX_PIXELS // 1_000_000} megapixels: scale it down.",
        )
    if min(width, height) < MIN_EDGE:
        raise MarigoldError(
            "bad_input",
            f"{name} has only {width} × {height} pixels: use a photo of at least {MIN_EDGE} × {MIN_EDGE}.",
        )
