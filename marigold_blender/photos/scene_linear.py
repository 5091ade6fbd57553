# SPDX-License-Identifier: GPL-3.0-or-later
"""Scene-linear light (EXR, Radiance HDR, float TIFF) to the display-referred pixels the network knows.

Called by `read` and `display_referred`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import MarigoldError
from .float_file import FloatPixels, read_float_pixels
from .photo import Photo
from .srgb import decode_srgb, encode_srgb

# The exposure of Hypersim's tone mapping, which made the pictures that Marigold was trained on (Roberts et al., ICCV
# 2021, `scene_generate_images_tonemap`): the brightness that 90 % of the pixels stay below is shown as 0.8.
EXPOSED_PERCENTILE = 90.0
EXPOSED_TO = 0.8
LUMA = np.array([0.3, 0.59, 0.11], np.float32)
BLACK = 1e-4
BRIGHTEST = np.float32(1e30)  # in the place of infinities, with room for the exposure
SAMPLE = 2_000_000  # pixels that the percentile is taken from


def read_scene_linear(path: Path) -> Photo:
    """Read an EXR or HDR file.

    Raises:
        MarigoldError: too large, damaged, or without any light (`bad_input`).
    """
    return photo_from_light(path, read_float_pixels(path))


def photo_from_light(path: Path, light: FloatPixels) -> Photo:
    """A photo of scene-linear pixels: one exposure for all of it, then the sRGB curve, where what is over 1 clips."""
    colour = light.colour
    colour[np.isnan(colour)] = 0.0
    np.clip(colour, 0.0, BRIGHTEST, out=colour)
    valid = None
    if light.alpha is not None:
        alpha = np.nan_to_num(light.alpha)
        valid = alpha >= 0.5
        if not valid.any():
            raise MarigoldError("bad_input", f"{path.name} is transparent all over: there is nothing to see.")
        # EXR colour is multiplied with alpha: taken out, so that half-covered edges are not darkened.
        partly = (alpha > 0.0) & (alpha < 1.0)
        colour[partly] /= alpha[partly][:, None]
    colour *= exposure(colour if valid is None else colour[valid][None])
    return Photo(encode_srgb(colour), None if valid is None or valid.all() else valid, path)


def exposure(colour: np.ndarray) -> np.float32:
    """The factor that shows the 90th percentile of brightness as 0.8 on the display.

    Args:
        colour: [H, W, 3] scene-linear, finite, not negative.
    """
    step = max(1, int(np.sqrt(colour.shape[0] * colour.shape[1] / SAMPLE)))
    brightness = colour[::step, ::step] @ LUMA if colour.shape[0] > 1 else colour[:, :: step * step] @ LUMA
    bright = float(np.percentile(brightness, EXPOSED_PERCENTILE))
    return np.float32(decode_srgb(np.array(EXPOSED_TO)) / bright) if bright > BLACK else np.float32(1.0)
