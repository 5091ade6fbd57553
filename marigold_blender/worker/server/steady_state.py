# SPDX-License-Identifier: GPL-3.0-or-later
"""What the next frame of a steady clip depends on, in a file beside the clip's depth. Called by `steady_clip`.

Numbers are kept exactly, so a run that goes on from the file comes to the same depth as one that was never stopped.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...depth_files.replacing import replacing_one
from ...estimation.depth_agreement import Agreement
from ...estimation.steady_frames import KeyFrame, SteadyState


@dataclass(frozen=True)
class Progress:
    """How far a clip is.

    Attributes:
        frame: number of the last frame that is written.
        size: width and height of the frames.
        shots: number of each shot's first frame so far.
        state: after that frame.
    """

    frame: int
    size: tuple[int, int]
    shots: tuple[int, ...]
    state: SteadyState


def save_progress(path: Path, progress: Progress, deciding: str) -> None:
    """Write it, whole or not at all.

    Args:
        deciding: hash of all that decides the frames.

    Raises:
        MarigoldError: it cannot be written (`cannot_write`).
    """
    state = progress.state
    arrays: dict[str, Any] = {
        "deciding": deciding,
        "frame": progress.frame,
        "size": progress.size,
        "shots": progress.shots,
        "shot": state.shot,
        "picture": state.picture,
        "depth": state.depth,
        "alone": state.alone,
        "agreement": (state.agreement.scale, state.agreement.shift),
        "key_pictures": torch.stack([key.picture for key in state.keys]),
        "key_depths": torch.stack([key.depth for key in state.keys]),
        "to_key": state.to_key,
    }
    if state.latents is not None:
        arrays["latents"] = state.latents
    with replacing_one(path) as beside, beside.open("wb") as file:
        np.savez(file, **{name: np.asarray(values) for name, values in arrays.items()})


def load_progress(path: Path, deciding: str) -> Progress | None:
    """What was saved; None if it is not there, damaged, or of another clip or other settings."""
    try:
        with np.load(path, allow_pickle=False) as file:
            if str(file["deciding"]) != deciding:
                return None
            scale, shift = file["agreement"].tolist()
            pictures, depths = torch.from_numpy(file["key_pictures"]), torch.from_numpy(file["key_depths"])
            width, height = file["size"].tolist()
            return Progress(
                int(file["frame"]),
                (width, height),
                tuple(file["shots"].tolist()),
                SteadyState(
                    int(file["shot"]),
                    torch.from_numpy(file["picture"]),
                    torch.from_numpy(file["depth"]),
                    torch.from_numpy(file["alone"]),
                    torch.from_numpy(file["latents"]) if "latents" in file else None,
                    Agreement(scale, shift),
                    tuple(KeyFrame(picture, depth) for picture, depth in zip(pictures, depths, strict=True)),
                    torch.from_numpy(file["to_key"]),
                ),
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # the clip is begun anew, which comes to the same depth
