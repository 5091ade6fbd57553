# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads Hypersim as it is downloaded (`ai_001_001/images/scene_cam_00_…`); its distances become planar depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import MarigoldError
from .dataset import Sample, SampleFile, checked, read_rgb

FOCAL_PX = 886.81  # of pictures 1024 px wide; the data set has one camera
WIDTH_PX = 1024
FAR_M = 65.0  # the official code's limit


def list_hypersim(folder: Path) -> list[SampleFile]:
    """Every frame that has both a tone-mapped preview and a distance map.

    Raises:
        MarigoldError: there is none.
    """
    samples = []
    for distance in sorted(folder.glob("ai_*/images/scene_cam_*_geometry_hdf5/frame.*.depth_meters.hdf5")):
        frame = distance.name.split(".")[1]
        preview = distance.parent.parent / distance.parent.name.replace("geometry_hdf5", "final_preview")
        picture = preview / f"frame.{frame}.tonemap.jpg"
        if picture.exists():
            camera = distance.parent.name.removesuffix("_geometry_hdf5")
            samples.append(_sample_file(f"{distance.parents[2].name}_{camera}_{frame}", picture, distance))
    if not samples:
        raise MarigoldError("bad_input", f"{folder} has no Hypersim frames with a preview and a distance map.")
    return samples


def _sample_file(name: str, picture: Path, distance: Path) -> SampleFile:
    return SampleFile(
        name, lambda: checked(Sample(name, read_rgb(picture), planar_depth(_read(distance))), distance.parents[3])
    )


def planar_depth(distance: np.ndarray) -> np.ndarray:
    """Distance along each pixel's ray, in metres, to depth along the camera's axis; inf beyond 65 m.

    Args:
        distance: [H, W], NaN where there is nothing.
    """
    height, width = distance.shape
    focal = FOCAL_PX * width / WIDTH_PX
    x = np.arange(width) + 0.5 - width / 2
    y = (np.arange(height) + 0.5 - height / 2)[:, None]
    depth = np.asarray(distance, np.float32) * (focal / np.sqrt(x**2 + y**2 + focal**2)).astype(np.float32)
    return np.where(depth > FAR_M, np.float32(np.inf), depth)


def _read(path: Path) -> np.ndarray:
    try:
        import h5py
    except ImportError as error:
        raise MarigoldError("no_runtime", "Reading Hypersim needs h5py: install it beside torch.") from error
    try:
        with h5py.File(path) as file:
            return np.asarray(file["dataset"][:], np.float32)
    except (OSError, KeyError) as error:
        raise MarigoldError(
            "bad_input", f"The depth {path} is damaged or cannot be read.", details=str(error)
        ) from error
