# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of the user's own .blend: cameras flown to free places in it, or its animation's frames."""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Vector

from ..errors import MarigoldError
from .scenes.viewpoints import View, choose_views, place_camera, random_lens
from .shots import DataSetFolder, picture_size, shoot


def open_blend(path: Path) -> None:
    """Open a file to render from.

    Raises:
        MarigoldError: it does not open, or shows no geometry.
    """
    try:
        bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False)
    except RuntimeError as error:
        raise MarigoldError("bad_input", f"Blender cannot open {path}.", details=str(error)) from error
    visible_bounds()


def visible_bounds() -> tuple[np.ndarray, np.ndarray]:
    """The lowest and highest corner of everything that renders."""
    corners = [
        thing.matrix_world @ Vector(corner)
        for thing in bpy.context.scene.objects
        if thing.type in {"MESH", "CURVE", "SURFACE", "META", "FONT"} and not thing.hide_render and thing.visible_get()
        for corner in thing.bound_box
    ]
    if not corners:
        raise MarigoldError("bad_input", f"{bpy.data.filepath or 'The file'} shows no geometry to render.")
    array = np.array(corners)
    return array.min(0), array.max(0)


def fly_through(to: DataSetFolder, source: str, index: int, plan: dict[str, Any]) -> list[str]:
    """Shoot `views` pictures from free places that see something; returns their names."""
    seed = [plan["seed"], zlib.crc32(source.encode()), index]
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    low, high = visible_bounds()
    size = float(np.linalg.norm(high - low))
    width, height = picture_size(rng, plan["size"])

    def propose(rng: np.random.Generator) -> View:
        eye = rng.uniform(low - 0.05 * size, high + 0.05 * size)
        angle, pitch = rng.uniform(0, 2 * math.pi), rng.normal(-0.1, 0.25)
        ahead = np.array([math.cos(angle) * math.cos(pitch), math.sin(angle) * math.cos(pitch), math.sin(pitch)])
        if rng.random() < 0.5:  # towards something rather than anywhere
            ahead = rng.uniform(low, high) - eye
        ex, ey, ez = map(float, eye)
        tx, ty, tz = map(float, eye + ahead)
        return View((ex, ey, ez), (tx, ty, tz), random_lens(rng, *plan["lens"]))

    views = choose_views(rng, propose, plan["views"], width / height, nearest_m=0.005 * size, tries=60)
    names = []
    for number, view in enumerate(views):
        place_camera(view, width, height)
        name = f"{source}_{index:06}_{number}"
        about = {"family": source, "seed": seed, "view": number, "frame": 0}
        if shoot(to, name, about, index * 16 + number, float(rng.uniform(0.3, 0.5)), needs_light=False):
            names.append(name)
    return names


def shoot_frame(to: DataSetFolder, source: str, index: int, plan: dict[str, Any]) -> list[str]:
    """Shoot frame number `index` of the animation through the file's own camera; returns its name, if it is there."""
    scene = bpy.context.scene
    frame = scene.frame_start + index
    if scene.camera is None:
        raise MarigoldError("bad_input", f"{bpy.data.filepath} has no camera, so its animation cannot be rendered.")
    if frame > scene.frame_end:
        return []
    scene.frame_set(frame)
    across, down = scene.render.resolution_x, scene.render.resolution_y
    scale = plan["size"] / max(across, down)
    scene.render.resolution_x, scene.render.resolution_y = round(across * scale), round(down * scale)
    scene.render.resolution_percentage = 100
    name = f"{source}_{index:06}"
    about = {"family": source, "seed": [plan["seed"]], "view": 0, "frame": frame}
    return [name] if shoot(to, name, about, index, 0.4, needs_light=False) else []
