"""What a rendered scene's depth can tell, from its true depth, normals and named planes: for `self_calibration`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

FLAT = 1e-4  # of the distance: what is a plane of the scene, exactly
SAME_DIRECTION_DEG = 4.0  # normals are stored with 8 bits
RIGHT_ANGLE_DEG = 1.0
TRIES = 60


@dataclass(frozen=True)
class TruePlane:
    """normal · point = offset in camera space, the normal towards the camera.

    Attributes:
        area: share of the pixels with depth; variation: share by which disparity varies over it (1 % to 99 %).
    """

    normal: np.ndarray
    offset: float
    area: float
    variation: float


@dataclass(frozen=True)
class TrueScene:
    """A picture's true depth [H, W] (valid [H, W] bool), its camera and its planes."""

    name: str
    family: str
    metric: np.ndarray
    valid: np.ndarray
    focal_px: float
    planes: list[TruePlane]

    @property
    def telling(self) -> list[TruePlane]:
        return [plane for plane in self.planes if plane.area >= 0.10 and plane.variation >= 0.20]

    @property
    def has_planes(self) -> bool:
        return bool(self.telling)

    @property
    def has_right_angles(self) -> bool:
        """Whether two of its planes are at right angles and tell the focal length: |c1 c2| of their normals >= 0.05."""
        telling = self.telling
        return any(
            abs(a.normal @ b.normal) < np.sin(np.radians(RIGHT_ANGLE_DEG)) and abs(a.normal[2] * b.normal[2]) >= 0.05
            for n, a in enumerate(telling)
            for b in telling[:n]
        )


def read_scene(root: Path, name: str) -> TrueScene:
    """One picture of a data set; `marigold train render` wrote it."""
    meta: dict[str, Any] = json.loads((root / f"meta/{name}.json").read_text())
    metric = np.load(root / f"depth/{name}.npy").astype(np.float64)
    stored = np.asarray(Image.open(root / f"normals/{name}.png").convert("RGB"), np.float64)
    valid = np.isfinite(metric) & (metric > 0) & (stored.sum(axis=-1) > 0)
    normals = (stored - 127.5) / 127.5
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-6)
    y, x = np.mgrid[: metric.shape[0], : metric.shape[1]] + 0.5
    focal_px = meta["focal_px"]
    distance = np.where(valid, metric, 1.0)
    rays = np.stack([(x - meta["cx"]) / focal_px, (meta["cy"] - y) / focal_px, -np.ones_like(x)], axis=-1)
    planes = _Finder(rays * distance[..., None], distance, normals, valid)
    for plane in meta["planes"]:
        planes.take(np.array(plane["normal"]), plane["offset"])
    planes.search()
    return TrueScene(name, meta["family"], metric, valid, focal_px, planes.found)


class _Finder:
    """Takes planes out of a picture, one after another; each pixel is on one at most."""

    def __init__(self, points: np.ndarray, distance: np.ndarray, normals: np.ndarray, valid: np.ndarray) -> None:
        self.points, self.distance, self.normals, self.valid = points, distance, normals, valid
        self.left = valid.copy()
        self.found: list[TruePlane] = []

    def take(self, normal: np.ndarray, offset: float) -> None:
        if offset > 0:
            normal, offset = -normal, -offset
        aligned = np.abs(self.normals @ normal) > np.cos(np.radians(SAME_DIRECTION_DEG))
        on = self.left & aligned & (np.abs(self.points @ normal - offset) < FLAT * self.distance)
        if on.sum() < 0.01 * self.valid.sum():
            return
        low, high = np.quantile(1.0 / self.distance[on], (0.01, 0.99))
        self.found.append(TruePlane(normal, offset, float(on.sum() / self.valid.sum()), float(1 - low / high)))
        self.left &= ~on

    def search(self) -> None:
        """Planes that the scene's family did not name: fronts of houses, lids, shelves."""
        rng = np.random.default_rng(0)
        for _ in range(TRIES):
            least = 0.03 * self.valid.sum()
            if self.left.sum() < least:
                return
            seed = rng.choice(np.flatnonzero(self.left))
            normal, point = self.normals.reshape(-1, 3)[seed], self.points.reshape(-1, 3)[seed]
            close = np.abs((self.points - point) @ normal) < 0.02 * self.distance
            near = self.left & close & (self.normals @ normal > np.cos(np.radians(3.0)))
            if near.sum() >= least:
                self._fit(self.points[near], self.distance[near])

    def _fit(self, points: np.ndarray, distance: np.ndarray) -> None:
        for _ in range(4):
            solution = np.linalg.lstsq(points / distance[:, None], 1.0 / distance, rcond=None)[0]
            off = np.abs(points @ solution - 1.0)
            keep = off < max(5e-4, 2 * float(np.median(off)))
            if keep.sum() < 10:
                return
            points, distance = points[keep], distance[keep]
        length = float(np.linalg.norm(solution))
        self.take(solution / length, 1.0 / length)
