# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the picture of the model in docs/geometry.md: `python tools/make_geometry_picture.py`.

One rendered room with its true depth, unprojected with the right shift and focal length and with wrong ones; seen from
the side and from above, each point in the colour of its pixel.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from marigold_blender.geometry.camera import Camera
from marigold_blender.geometry.unprojection import metric_depth, unproject

PICTURE = Path(__file__).resolve().parents[1] / "docs/pictures/shift_and_focal_length.jpg"
SCENE = ["--families", "rooms", "--count", "1", "--views", "1", "--size", "480", "--samples", "16"]
SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 14
SIDE, GAP, TITLE = 300, 8, 26
PAPER, INK = (24, 24, 24), (220, 220, 220)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "marigold_blender.cli", "train", "render", folder, *SCENE, "--seed", str(SEED)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (meta_file,) = Path(folder, "meta").glob("*.json")
        meta = json.loads(meta_file.read_text())
        photo = Image.open(Path(folder, "rgb", f"{meta_file.stem}.png")).convert("RGB")
        metric = np.load(Path(folder, "depth", f"{meta_file.stem}.npy"))
    camera = Camera(meta["width"], meta["height"], meta["focal_px"], meta["cx"], meta["cy"])
    metric = np.where(np.isfinite(metric) & (metric > 0), metric, np.nan)
    near, far = float(np.nanmin(metric)), float(np.nanmax(metric))
    depth = (metric - near) / (far - near)
    turn = np.array(meta["camera_to_world"])[:3, :3]
    guesses = {
        "Shift and focal length right": (camera, near),
        "Shift too large": (camera, 4 * near),
        "Focal length too short": (replace(camera, focal_px=camera.focal_px * 0.5), near),
    }
    width = photo.width * SIDE * 2 // photo.height // 2
    sheet = Image.new("RGB", (width + 3 * SIDE + 3 * GAP, 2 * SIDE + GAP + TITLE), PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(15)
    sheet.paste(photo.resize((width, SIDE), Image.Resampling.LANCZOS), (0, TITLE))
    draw.text((4, 4), "The photo", INK, font)
    draw.text((4, SIDE + TITLE + GAP), "Upper row: from the side.\nLower row: from above.", INK, font)
    colours = np.asarray(photo).reshape(-1, 3)
    for column, (title, (guess, shift)) in enumerate(guesses.items()):
        points = placed(guess, depth, shift, shift + far - near) @ turn.T
        left = width + GAP + column * (SIDE + GAP)
        draw.text((left, 4), title, INK, font)
        ahead = -turn[:2, 2] / np.linalg.norm(turn[:2, 2])
        away, across = points[:, :2] @ ahead, points[:, :2] @ np.array([ahead[1], -ahead[0]])
        sheet.paste(scatter(away, points[:, 2], colours), (left, TITLE))
        sheet.paste(scatter(across, away, colours), (left, TITLE + SIDE + GAP))
    sheet.save(PICTURE, quality=88)


def placed(camera: Camera, depth: np.ndarray, near: float, far: float) -> np.ndarray:
    """[H W, 3] the point of every pixel in camera space."""
    y, x = np.mgrid[: camera.height, : camera.width] + 0.5
    return unproject(camera, np.stack([x, y], axis=-1), metric_depth(depth, near, far)).reshape(-1, 3)


def scatter(across: np.ndarray, up: np.ndarray, colours: np.ndarray) -> Image.Image:
    """The points in a square, all of it seen, with the same scale both ways."""
    seen = np.isfinite(across) & np.isfinite(up)
    (left, right), (bottom, top) = (np.quantile(value[seen], (0.002, 0.998)) for value in (across, up))
    scale = (SIDE - 20) / max(right - left, top - bottom)
    x = SIDE / 2 + (across[seen] - (left + right) / 2) * scale
    y = SIDE / 2 - (up[seen] - (bottom + top) / 2) * scale
    inside = (x >= 0) & (x < SIDE) & (y >= 0) & (y < SIDE)
    canvas = np.full((SIDE, SIDE, 3), PAPER, np.uint8)
    canvas[y[inside].astype(int), x[inside].astype(int)] = np.maximum(colours[seen][inside], 50)
    return Image.fromarray(canvas)


if __name__ == "__main__":
    main()
