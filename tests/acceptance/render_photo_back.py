"""One photo through the installed extension and back: run by `part_1`, which names the user folder.

Prints RESULT and a JSON object: PSNR (dB) where the mesh covers the photo, under Standard and AgX; coverage; the median
relative error of the Z pass against near + depth * (far - near).
"""

import json
import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np

from tests.acceptance.steps import ROOT
from tests.blender.synthetic_photo import psnr, render

PHOTO, FOLDER = Path(sys.argv[1]), Path(sys.argv[2])


def main() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools/build_extension.py", FOLDER], capture_output=True, text=True, check=True
    )
    bpy.ops.extensions.package_install_files(filepath=done.stdout.strip(), repo="user_default", enable_on_install=True)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.marigold.photo_to_scene(filepath=str(PHOTO), preset="BALANCED", sky="KEEP", match_render=True)
    depth = bpy.context.view_layer.objects.active.data.marigold.depth
    photo = _pixels(depth.marigold.photo)[..., :3]
    result = {}
    for view in ("Standard", "AgX"):
        bpy.context.scene.view_settings.view_transform = view
        seen = render(FOLDER / "seen.png")
        covered = seen[..., 3] > 0.99
        result[f"psnr_{view.lower()}"] = round(psnr(seen[covered][:, :3], photo[covered]), 2)
        result["coverage"] = round(float(covered.mean()), 4)
    z = render(FOLDER / "z.exr", samples=1, z_pass=True)
    known = depth.marigold.near + _pixels(depth)[..., 0] * (depth.marigold.far - depth.marigold.near)
    hit = z < 1e9
    result["z_median_relative_error"] = float(np.median(np.abs(z[hit] - known[hit]) / known[hit]))
    print("RESULT" + json.dumps(result))


def _pixels(image: bpy.types.Image) -> np.ndarray:
    values = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(values)
    return values.reshape(image.size[1], image.size[0], 4)[::-1]


main()
