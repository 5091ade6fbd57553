# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the picture of self-calibration in docs/geometry.md: `python tools/make_self_calibration_picture.py`.

One rendered corridor whose depth was scaled to 0 .. 1, unprojected as is assumed at first (near 1, far 4, 55 degrees,
level) and as it calibrates itself; seen from the side and from above, each point in the colour of its pixel.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from make_geometry_picture import GAP, INK, PAPER, SIDE, TITLE, placed, scatter
from PIL import Image, ImageDraw, ImageFont

from marigold_blender.geometry.camera import Camera
from marigold_blender.geometry.self_calibration.calibrate import self_calibrate

PICTURE = Path(__file__).resolve().parents[1] / "docs/pictures/self_calibration.jpg"
SCENE = ["--families", "corridors", "--count", "1", "--views", "1", "--size", "480", "--samples", "16"]
SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 14


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "marigold_blender.cli", "train", "render", folder, *SCENE, "--seed", str(SEED)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (meta_file,) = Path(folder, "meta").glob("*.json")
        meta = json.loads(meta_file.read_text())
        photo = Image.open(Path(folder, "rgb", f"{meta_file.stem}.png")).convert("RGB")
        metric = np.load(Path(folder, "depth", f"{meta_file.stem}.npy"))
    metric = np.where(np.isfinite(metric) & (metric > 0), metric, np.nan)
    near, far = float(np.nanmin(metric)), float(np.nanmax(metric))
    depth = ((metric - near) / (far - near)).astype(np.float32)
    found = self_calibrate(depth)
    print(f"near / far {near / far:.4f}, found {np.divide(*found.near_and_far()):.4f}")
    print(f"focal length {meta['focal_px']:.1f} px, found {found.focal_px:.1f} px from {found.focal_origin}")
    width, height = photo.size
    level = np.eye(3)
    versions = {
        "Assumed: near 1, far 4, 55°": (Camera.from_fov(width, height), (1.0, 4.0), level),
        "Self-calibrated": (
            Camera.centred(width, height, found.focal_px),
            found.near_and_far(),
            standing(np.array(found.floor.normal)) if found.floor else level,
        ),
    }
    shown = width * SIDE // height
    sheet = Image.new("RGB", (shown + 2 * SIDE + 2 * GAP, 2 * SIDE + GAP + TITLE), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    sheet.paste(photo.resize((shown, SIDE), Image.Resampling.LANCZOS), (0, TITLE))
    draw.text((4, 4), "The photo", INK, font)
    draw.text((4, SIDE + TITLE + GAP), "Upper row: from the side.\nLower row: from above.", INK, font)
    colours = np.asarray(photo).reshape(-1, 3)
    for column, (title, (camera, ends, turn)) in enumerate(versions.items()):
        right, up, back = (placed(camera, depth, *ends) @ turn.T).T
        left = shown + GAP + column * (SIDE + GAP)
        draw.text((left, 4), title, INK, font)
        sheet.paste(scatter(-back, up, colours), (left, TITLE))
        sheet.paste(scatter(right, -back, colours), (left, TITLE + SIDE + GAP))
    sheet.save(PICTURE, quality=88)


def standing(up: np.ndarray) -> np.ndarray:
    """The rotation [3, 3] from camera space to one whose Y is `up`, and whose -Z is as far ahead as can be."""
    back = np.array([0.0, 0.0, 1.0]) - up[2] * up
    back /= np.linalg.norm(back)
    return np.stack([np.cross(up, back), up, back])


if __name__ == "__main__":
    main()
