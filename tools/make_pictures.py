# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the documents' pictures of panels from a real Blender window: `python tools/make_pictures.py`.

They come from the very steps that the window tests take, so that they show what is tested. Needs what those need.
"""

import sys
import tempfile
from pathlib import Path

import sklearn.datasets
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.gui.blender_window import BlenderWindow, install  # noqa: E402
from tests.local_hub import Faults, LocalHub, published_models  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
CHINA = Path(sklearn.datasets.__file__).parent / "images" / "china.jpg"
PIECE_S = 0.2  # a download that lasts long enough to be seen
SPACE = 16
HEADER = 14  # what of the first panel's header lies above the region that Blender names


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, LocalHub(published_models(), Faults(piece_s=PIECE_S)) as hub:
        window = install(BlenderWindow(Path(folder), has_runtime=False))
        window.environment["HF_ENDPOINT"] = hub.endpoint
        taken = Shots(window, "first_start_steps.py", sys.prefix, sys.base_prefix + "/bin/python3")
        taken.side_by_side("three_steps.png", [("2_plan", 560), ("8_model_ready", 330), ("10_made", 700)])
        taken.whole("dropped.png", "9_dropped")
        taken.sidebar("downloading.png", "7_downloading", 400)
    with tempfile.TemporaryDirectory() as folder:
        window = install(BlenderWindow(Path(folder)))
        taken = Shots(window, "looks_steps.py")
        taken.sidebar("panel.png", "1_dark", 700)
        taken.side_by_side("themes.png", [("1_dark", 700), ("2_light", 700), ("3_narrow", 700)])
        taken.sidebar("training.png", "4_training", 340)
        taken.whole("preferences.png", "5_preferences")


class Shots:
    """The screenshots of one script of steps."""

    def __init__(self, window: BlenderWindow, script: str, *arguments: object) -> None:
        self._report = window.drive(script, CHINA, *arguments, timeout_s=900)
        self._folder = window.folder / Path(script).stem

    def whole(self, file: str, name: str) -> None:
        self._open(name).save(PICTURES / file, optimize=True)

    def sidebar(self, file: str, name: str, height: int) -> None:
        self._sidebar(name, height).save(PICTURES / file, optimize=True)

    def side_by_side(self, file: str, shots: list[tuple[str, int]]) -> None:
        """Args: shots: screenshot and height of each, from the left."""
        parts = [self._sidebar(name, height) for name, height in shots]
        size = sum(part.width + SPACE for part in parts) - SPACE, max(part.height for part in parts)
        sheet = Image.new("RGBA", size)
        x = 0
        for part in parts:
            sheet.paste(part, (x, 0))
            x += part.width + SPACE
        sheet.save(PICTURES / file, optimize=True)

    def _sidebar(self, name: str, height: int) -> Image.Image:
        left, top, width, _ = self._report["sidebars"][name]
        return self._open(name).crop((left, top - HEADER, left + width, top + height))

    def _open(self, name: str) -> Image.Image:
        return Image.open(self._folder / f"{name}.png").convert("RGB")


if __name__ == "__main__":
    main()
