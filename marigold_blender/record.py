# SPDX-License-Identifier: GPL-3.0-or-later
"""The record that stands beside a depth file (`NAME.json`) and inside the depth image of a .blend.

Written by the worker, read by the scene and by scripts; `docs/files.md` documents the fields for users. Standard
library only.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

FORMAT = 1


@dataclass(frozen=True)
class SourceCamera:
    """What the photo's metadata say of the camera, in pixels of the upright photo (see `geometry.camera.Camera`).

    Attributes:
        focal_px: focal length in pixels, or None where the metadata do not determine it.
        origin: where focal_px comes from: `exif_35mm`, `exif_sensor`, `sensor_table`, or `unknown`.
        description: camera and lens as the metadata name them, for people.
    """

    focal_px: float | None = None
    origin: str = "unknown"
    description: str = ""


@dataclass(frozen=True)
class DepthRecord:
    """How a depth map came to be: enough to make it again.

    Attributes:
        name: stem of the files, from the photo's name.
        width, height: size of the depth map in pixels = size of the upright photo.
        model: catalogue name or folder; `model_revision`: hub revision, or a hash of the folder's files.
        settings: the resolved settings (`EstimateSettings.to_json`).
        processing_size: width and height that the network saw, before padding.
        source: path of the photo as given; `source_sha256`: hash of its upright sRGB pixels.
        camera: what the photo's metadata say.
        versions: of marigold_blender, torch, diffusers, Python; and device and dtype.
        invalid_fraction: share of the pixels that are masked out (alpha).
        seconds: time the estimate took when it was computed.
        self_calibration: what the depth tells by itself of shift, focal length and floor (`SelfCalibration.to_json` of
            `geometry.self_calibration.result`); None in records from before there was such a thing.
    """

    name: str
    width: int
    height: int
    model: str
    model_revision: str
    settings: dict[str, Any]
    processing_size: tuple[int, int]
    source: str
    source_sha256: str
    camera: SourceCamera = field(default_factory=SourceCamera)
    versions: dict[str, str] = field(default_factory=dict)
    invalid_fraction: float = 0.0
    seconds: float = 0.0
    self_calibration: dict[str, Any] | None = None
    format: int = FORMAT

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def dumps(self) -> str:
        return json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> DepthRecord:
        known = {**data, "camera": SourceCamera(**data["camera"]), "processing_size": tuple(data["processing_size"])}
        return cls(**known)

    @classmethod
    def loads(cls, text: str) -> DepthRecord:
        return cls.from_json(json.loads(text))
