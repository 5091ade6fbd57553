# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens any data set that training and evaluation read, telling the kinds apart by their folders."""

from __future__ import annotations

from pathlib import Path

from ..errors import MarigoldError
from .dataset import SampleFile, list_scene_data_set
from .hypersim import list_hypersim
from .virtual_kitti import list_virtual_kitti


def open_data_set(folder: Path) -> list[SampleFile]:
    """The samples of a scene data set, of Hypersim, or of Virtual KITTI 2.

    Raises:
        MarigoldError: the folder is none of these, or has no usable pair.
    """
    if not folder.is_dir():
        raise MarigoldError("bad_input", f"There is no folder {folder}.")
    if (folder / "rgb").is_dir():
        return list_scene_data_set(folder)
    if any(folder.glob("ai_*/images")):
        return list_hypersim(folder)
    if any(folder.glob("Scene*/*/frames")):
        return list_virtual_kitti(folder)
    raise MarigoldError(
        "bad_input",
        f"{folder} is no data set: it has neither rgb/ and depth/, nor Hypersim's or Virtual KITTI 2's folders.",
    )
