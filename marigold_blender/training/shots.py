# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes one picture of the current Blender scene into a data set; called for procedural scenes and for .blend files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from .exposure import develop, is_dark
from .scene_files import write_view
from .scenes.passes import render_passes
from .scenes.stage import NamedPlane

SHAPES = (((4, 3), 0.5), ((3, 4), 0.2), ((1, 1), 0.15), ((16, 10), 0.15))  # aspect and share


@dataclass(frozen=True)
class DataSetFolder:
    """Where pictures go, and what is the same for all of them.

    Attributes:
        scratch: folder for what Blender writes in between.
        far_m: what lies beyond counts as sky.
    """

    root: Path
    scratch: Path
    far_m: float


def shoot(
    to: DataSetFolder,
    name: str,
    about: dict[str, Any],
    noise: int,
    brightness: float,
    planes: Sequence[NamedPlane] = (),
    needs_light: bool = True,
) -> bool:
    """Render through the scene's camera and write the picture's files.

    Args:
        about: goes into the meta file.
        noise: seed of the render's noise.
        brightness: to expose for (see exposure.py).
        needs_light: of a user's file every picture is kept.

    Returns:
        False if there is no light, so that the picture would be black: then nothing is written.
    """
    scene = bpy.context.scene
    camera, width, height = scene.camera, scene.render.resolution_x, scene.render.resolution_y
    passes = render_passes(to.scratch, noise)
    rgb = develop(passes.linear, brightness)
    if needs_light and is_dark(rgb, brightness):
        return False
    depth = np.where(passes.depth > to.far_m, np.inf, passes.depth)
    focal_px, cx, cy = intrinsics(camera, width, height)
    meta = {
        **about,
        "width": width,
        "height": height,
        "focal_px": focal_px,
        "cx": cx,
        "cy": cy,
        "f_stop": camera.data.dof.aperture_fstop if camera.data.dof.use_dof else 0.0,
        "camera_to_world": np.array(camera.matrix_world).tolist(),
        "planes": [_in_camera_space(plane, np.array(camera.matrix_world.inverted())) for plane in planes],
        "far_m": to.far_m,
        "sky": float(np.mean(~np.isfinite(depth))),
    }
    write_view(to.root, name, rgb, depth, passes.normals, meta)
    return True


def intrinsics(camera: Any, width: int, height: int) -> tuple[float, float, float]:
    """Focal length and principal point in pixels, lens shift included, from Blender's own projection."""
    projection = camera.calc_matrix_camera(bpy.context.evaluated_depsgraph_get(), x=width, y=height)
    focal_px = projection[0][0] * width / 2
    return focal_px, width / 2 * (1 - projection[0][2]), height / 2 * (1 + projection[1][2])


def picture_size(rng: np.random.Generator, long_side: int) -> tuple[int, int]:
    """Width and height of a scene's pictures: several aspects, multiples of 16."""
    (across, down), _ = SHAPES[rng.choice(len(SHAPES), p=[share for _, share in SHAPES])]
    scale = long_side / max(across, down) * (0.9 if across == down else 1.0)
    return round(across * scale / 16) * 16, round(down * scale / 16) * 16


def _in_camera_space(plane: NamedPlane, to_camera: np.ndarray) -> dict[str, Any]:
    """A plane as normal . point = offset in camera space (X right, Y up, Z back)."""
    normal = to_camera[:3, :3] @ plane.normal
    point = (to_camera @ (*plane.point, 1.0))[:3]
    return {"name": plane.name, "normal": normal.tolist(), "offset": float(normal @ point)}
