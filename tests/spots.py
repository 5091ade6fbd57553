"""Measures spots of light; used by the depth of field's tests, with and without Blender, and by its acceptance run."""

import numpy as np


def radius_of_spot(light: np.ndarray) -> float:
    """Radius of the disc with the same second moment as a spot of light [H, W]."""
    y, x = np.indices(light.shape)
    total = light.sum()
    cy, cx = (light * y).sum() / total, (light * x).sum() / total
    return float(np.sqrt(2 * (light * ((y - cy) ** 2 + (x - cx) ** 2)).sum() / total))
