"""Cut edges and the fill behind them, on scenes whose surfaces are known. Steps of part 6.

A jump is where two neighbouring rays hit faces whose planes are apart by more than 2 % of the distance at both rays.
Everything is counted in those rays: one for each pixel.
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from marigold_blender.geometry.discontinuities import Discontinuities
from marigold_blender.geometry.grid import GridMesh, mesh_of_surfaces
from marigold_blender.geometry.sampling import MaskedMap
from marigold_blender.geometry.surfaces import EdgeOptions, find_surfaces
from marigold_blender.training.depth_range import normalise_depth
from tests.acceptance.steps import ROOT

SCENES = Path.home() / ".cache/marigold-acceptance/edges"
GAP = 0.02  # of the distance: what counts as another surface
DENSITIES = (10_000, 1_000_000)
ASSUMED_NEAR, ASSUMED_FAR = 1.0, 4.0  # of a depth image that nobody has calibrated
FAMILIES, EACH, SIZE = 7, 3, 768


@dataclass(frozen=True)
class Scene:
    """What the rays of one scene hit.

    Attributes:
        depth: [H, W] float32, inf where nothing is.
        normals: [H, W, 3] of the faces hit, camera space.
        lens: focal length and principal point in pixels.
        moves, moved: places of four more cameras, and the depth that they see.
    """

    name: str
    depth: np.ndarray
    normals: np.ndarray
    lens: np.ndarray
    moves: np.ndarray
    moved: np.ndarray

    @property
    def hit(self) -> np.ndarray:
        return np.isfinite(self.depth)

    def affine(self) -> tuple[np.ndarray, float, float]:
        """The true depth as 0 near .. 1 far, and what 0 and 1 stand for; nothing is flattened."""
        near, far = float(self.depth[self.hit].min()), float(self.depth[self.hit].max())
        return np.where(self.hit, (self.depth - near) / (far - near), 1).astype(np.float32), near, far

    def jumps(self) -> Discontinuities:
        z = np.where(self.hit, self.depth, 1).astype(np.float64)
        y, x = np.mgrid[: z.shape[0], : z.shape[1]] + 0.5
        focal, cx, cy = self.lens
        ray = np.stack([(x - cx) / focal, (cy - y) / focal, -np.ones_like(x)], axis=-1)
        facing = (self.normals * ray).sum(axis=-1)
        facing = np.where(abs(facing) < 1e-6, -1e-6, facing)
        # disparity along a plane is affine in the pixel: normal . ray / (normal . ray there * z there)
        steps = self.normals[..., :2] * (1, -1) / focal / (facing * z)[..., None]
        return Discontinuities(_apart(z, steps[..., 0], self.hit), _apart(z.T, steps[..., 1].T, self.hit.T).T)


def _apart(z: np.ndarray, step: np.ndarray, hit: np.ndarray) -> np.ndarray:
    """Between each ray of a row and the next: whether what they hit is apart by more than the gap.

    The plane of each is followed to the other ray. Where they change sides on the way they meet: that is a fold.
    """
    disparity = 1 / z
    here = disparity[:, :-1] - (disparity[:, 1:] - step[:, 1:])
    there = disparity[:, :-1] + step[:, :-1] - disparity[:, 1:]
    gap = np.minimum(abs(here), abs(there)) / np.minimum(disparity[:, 1:], disparity[:, :-1])
    return hit[:, 1:] & hit[:, :-1] & (here * there > 0) & (gap > GAP)


def make_scenes() -> list[Path]:
    """The scenes' files, rendered if they are not there yet (five seconds each)."""
    files = sorted(SCENES.glob("*_[0-9][0-9][0-9].npz"))
    if len(files) < FAMILIES * EACH:
        command = [sys.executable, "-m", "tests.acceptance.edge_scenes", str(SCENES), str(EACH), str(SIZE)]
        subprocess.run(command, cwd=ROOT, check=True)
    return sorted(SCENES.glob("*_[0-9][0-9][0-9].npz"))


def open_scene(path: Path) -> Scene:
    with np.load(path) as arrays:
        return Scene(path.stem, *(arrays[name] for name in ("depth", "normals", "lens", "moves", "moved")))


@dataclass(frozen=True)
class SeenMesh:
    """A grid mesh as the photo's own camera sees it: [H, W] the face at each pixel's centre, or -1; and its depth."""

    face: np.ndarray
    depth: np.ndarray


def see(mesh: GridMesh, width: int, height: int) -> SeenMesh:
    """Faces are rectangles of the picture: each is painted onto the pixel centres in it."""
    corners = mesh.uv[mesh.quads].astype(np.float64) * (width, -height) + (0, height)
    left, top = corners[:, 3].T
    right, bottom = corners[:, 1].T
    first_x, end_x = (np.ceil(np.round(edge - 0.5, 4)).astype(int) for edge in (left, right))
    first_y, end_y = (np.ceil(np.round(edge - 0.5, 4)).astype(int) for edge in (top, bottom))
    across, down = end_x - first_x, end_y - first_y
    count = across * down
    face = np.repeat(np.arange(len(count)), count)
    within = np.arange(len(face)) - np.repeat(np.cumsum(count) - count, count)
    y, x = np.divmod(within, across[face])
    x, y = x + first_x[face], y + first_y[face]
    right_share = (x + 0.5 - left[face]) / (right - left)[face]
    below = (y + 0.5 - top[face]) / (bottom - top)[face]
    lower_left, lower_right, upper_right, upper_left = mesh.depth[mesh.quads[face]].T
    upper = upper_left * (1 - right_share) + upper_right * right_share
    lower = lower_left * (1 - right_share) + lower_right * right_share
    faces, depth = np.full((height, width), -1), np.full((height, width), np.nan)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    faces[y[inside], x[inside]] = face[inside]
    depth[y[inside], x[inside]] = (upper * (1 - below) + lower * below)[inside]
    return SeenMesh(faces, depth)


def bridged(mesh: GridMesh, jumps: Discontinuities) -> np.ndarray:
    """[F] bool: the faces with an edge along which a jump is crossed, its ends moved into the face by a hair."""
    hair = 1e-3
    corners = mesh.uv[mesh.quads].astype(np.float64) * (jumps.columns, -jumps.rows) + (0, jumps.rows)
    centre = corners.mean(axis=1, keepdims=True)
    corners += np.clip(centre - corners, -hair, hair)
    pixel = np.clip(np.floor(corners).astype(int), 0, (jumps.columns - 1, jumps.rows - 1))
    across = np.pad(np.cumsum(jumps.across, axis=1, dtype=np.int32), ((0, 0), (1, 0)))
    down = np.pad(np.cumsum(jumps.down, axis=0, dtype=np.int32), ((1, 0), (0, 0)))
    left, top = pixel[:, 3].T
    right, bottom = pixel[:, 1].T
    crossed = (across[top, right] - across[top, left]) + (across[bottom, right] - across[bottom, left])
    crossed += (down[bottom, left] - down[top, left]) + (down[bottom, right] - down[top, right])
    return crossed > 0


def cut_edges() -> dict[str, Any]:
    """Of the faces that bridge a jump the share removed, of true surface the share lost, at both densities."""
    result: dict[str, Any] = {}
    for vertices in DENSITIES:
        rows = [_cut(open_scene(path), vertices) for path in make_scenes()]
        totals = {name: sum(row[name] for row in rows) for name in rows[0] if name != "seconds"}
        result[f"{vertices} vertices"] = {
            "scenes": len(rows),
            "removed": 1 - totals["bridged"] / totals["bridged_uncut"],
            "lowest_removed": min(1 - row["bridged"] / max(row["bridged_uncut"], 1) for row in rows),
            "jumps_cut": 1 - totals["jumps_left"] / totals["jumps"],
            "lost": totals["lost"] / totals["surface"],
            "highest_lost": max(row["lost"] / row["surface"] for row in rows),
            "lost_islands": totals["islands"] / totals["surface"],
            "seconds_median": float(np.median([row["seconds"] for row in rows])),
        }
    return result


def filled_behind() -> dict[str, Any]:
    """The share of rays that find nothing when the camera moves aside by a tenth of the median distance."""
    command = [sys.executable, "-m", "tests.acceptance.edges_moved", *map(str, make_scenes())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    rows = json.loads(done.stdout.split("RESULT")[1])
    rays = sum(row["rays"] for row in rows)
    return {
        "scenes": len(rows),
        "rays": rays,
        "uncovered": sum(row["uncovered"] for row in rows) / rays,
        "uncovered_without_fill": sum(row["without_fill"] for row in rows) / rays,
        "highest_uncovered": max(row["uncovered"] / row["rays"] for row in rows),
    }


def sky_found() -> dict[str, Any]:
    """How well the sky is found, in depth as the demo is trained on it: sky at 1, the rest up to 0.9."""
    overlaps, wrongly = [], []
    for path in make_scenes():
        scene = open_scene(path)
        depth = ((normalise_depth(scene.depth, "far")[0] + 1) / 2).astype(np.float32)
        height, width = depth.shape
        options = EdgeOptions(least_island=0)
        found = find_surfaces(MaskedMap(depth, None), (width, height), ASSUMED_NEAR, ASSUMED_FAR, options).sky
        if (~scene.hit).mean() > 0.01:
            overlaps.append(float((found & ~scene.hit).sum() / (found | ~scene.hit).sum()))
        else:
            wrongly.append(float((found & scene.hit).mean()))
    return {
        "scenes_with_sky": len(overlaps),
        "median_overlap": float(np.median(overlaps)),
        "lowest_overlap": min(overlaps),
        "scenes_without": len(wrongly),
        "taken_for_sky_there": max(wrongly),
    }


def _cut(scene: Scene, vertices: int) -> dict[str, float]:
    """Pixels of one scene: in bridging faces of the uncut and of the cut mesh, of true surface, of what is lost."""
    depth, near, far = scene.affine()
    height, width = depth.shape
    jumps = scene.jumps()
    masked = MaskedMap(depth, scene.hit)
    uncut = mesh_of_surfaces(
        masked, find_surfaces(masked, (width, height), near, far, EdgeOptions(0, "KEEP", 0)), vertices
    )
    started = time.process_time()
    surfaces = find_surfaces(masked, (width, height), near, far)
    mesh = mesh_of_surfaces(masked, surfaces, vertices)
    seconds = time.process_time() - started
    before, after = see(uncut, width, height), see(mesh, width, height)
    metric = near + after.depth * (far - near)
    true = abs(metric - scene.depth) <= GAP * scene.depth  # False where there is no face
    kept = surfaces.kept
    return {
        "bridged_uncut": int(bridged(uncut, jumps)[before.face[before.face >= 0]].sum()),
        "bridged": int(bridged(mesh, jumps)[after.face[after.face >= 0]].sum()),
        "jumps": jumps.count,
        "jumps_left": _joined_over(mesh, after, jumps),
        "surface": int(scene.hit.sum()),
        "lost": int((scene.hit & ~true).sum()),
        "islands": int((scene.hit & ~kept).sum()),
        "seconds": seconds,
    }


def _joined_over(mesh: GridMesh, seen: SeenMesh, jumps: Discontinuities) -> int:
    """How many jumps the mesh joins: the faces at both pixels are one, or share two vertices."""
    joined = 0
    for jump, one, other in (
        (jumps.across, seen.face[:, :-1], seen.face[:, 1:]),
        (jumps.down, seen.face[:-1], seen.face[1:]),
    ):
        first, second = one[jump], other[jump]
        there = (first >= 0) & (second >= 0)
        a, b = mesh.quads[first[there]], mesh.quads[second[there]]
        joined += int(((a[:, :, None] == b[:, None, :]).sum(axis=(1, 2)) >= 2).sum())
    return joined
