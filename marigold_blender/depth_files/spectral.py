# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours for looking at depth: ColorBrewer's Spectral, near red and far blue, as the Marigold paper's figures.

Called by `write`.
"""

from __future__ import annotations

import numpy as np

# Brewer, Harrower, Pennsylvania State University: the eleven-class diverging scheme.
ANCHORS = (
    (158, 1, 66),
    (213, 62, 79),
    (244, 109, 67),
    (253, 174, 97),
    (254, 224, 139),
    (255, 255, 191),
    (230, 245, 152),
    (171, 221, 164),
    (102, 194, 165),
    (50, 136, 189),
    (94, 79, 162),
)
INVALID = (32, 32, 32)


def spectral(depth: np.ndarray, valid: np.ndarray | None = None) -> np.ndarray:
    """Colours [H, W, 3] uint8 of depth [H, W] in [0, 1]; invalid pixels are dark."""
    positions = np.linspace(0.0, 255.0, len(ANCHORS))
    table = np.stack([np.interp(np.arange(256), positions, channel) for channel in zip(*ANCHORS, strict=True)], axis=-1)
    colours = table.round().astype(np.uint8)[(depth * 255.0).round().astype(np.uint8)]
    if valid is not None:
        colours[~valid] = INVALID
    return colours
