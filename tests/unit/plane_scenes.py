"""Scenes of planes with exactly known depth, for the tests of self-calibration."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WIDTH, HEIGHT = 160, 120


@dataclass(frozen=True)
class Scene:
    """Metric depth [H, W] (inf: nothing there) seen with a focal length, and its floor's normal in camera space."""

    metric: np.ndarray
    focal_px: float
    floor: np.ndarray

    def affine(self, scale: float, shift: float) -> np.ndarray:
        """The depth of which metric depth is `scale * depth + shift`; NaN where there is nothing."""
        return np.where(np.isfinite(self.metric), (self.metric - shift) / scale, np.nan).astype(np.float32)


def tilted(pitch_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """Up, and horizontally back, in the space of a camera that looks down by an angle."""
    pitch = np.radians(pitch_deg)
    return np.array([0.0, np.cos(pitch), np.sin(pitch)]), np.array([0.0, -np.sin(pitch), np.cos(pitch)])


def scene_of(planes: Sequence[tuple[np.ndarray, float]], focal_px: float, floor: np.ndarray) -> Scene:
    """What a camera sees of planes normal · point = offset: the nearest one at every pixel."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    rays = np.stack([(x - WIDTH / 2) / focal_px, (HEIGHT / 2 - y) / focal_px, -np.ones_like(x)], axis=-1)
    with np.errstate(divide="ignore"):
        depths = [offset / (rays @ normal) for normal, offset in planes]
    metric = np.min([np.where(depth > 0, depth, np.inf) for depth in depths], axis=0)
    return Scene(metric, focal_px, floor)


def corner(focal_px: float = 150.0, pitch_deg: float = 15.0, turn_deg: float = 35.0) -> Scene:
    """A floor 1.5 below the camera and two walls at right angles."""
    up, back = tilted(pitch_deg)
    right = np.array([1.0, 0.0, 0.0])
    turn = np.radians(turn_deg)
    walls = np.cos(turn) * back + np.sin(turn) * right, np.sin(turn) * back - np.cos(turn) * right
    return scene_of([(up, -1.5), (walls[0], -4.0), (walls[1], -4.5)], focal_px, up)


def ground(focal_px: float = 150.0, pitch_deg: float = 12.0) -> Scene:
    """Nothing but the ground, 2 below the camera, up to a wall straight ahead."""
    up, back = tilted(pitch_deg)
    return scene_of([(up, -2.0), (back, -12.0)], focal_px, up)


def wall() -> Scene:
    """A wall seen straight on with shallow round bumps: nothing tells its shift."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] / 10.0
    return Scene(4 + 0.3 * np.sin(x) * np.sin(y), 150.0, np.array([0.0, 1.0, 0.0]))
