# SPDX-License-Identifier: GPL-3.0-or-later
"""A sharp picture and its depth in, a picture with depth of field out. Used by `tasks` and by `marigold dof`.

Without a depth file the depth is estimated first, with the result cache behind it.
"""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...depth_of_field.lens import FocusedPicture, focus_picture
from ...depth_of_field.scene_depth import SceneDepth, read_radii, read_scene_depth
from ...errors import MarigoldError
from ...fog_settings import FogSettings
from ...geometry.fog import add_fog
from ...geometry.mattes import mattes_by_distance
from ...lens_settings import LensSettings
from ...matte_settings import MatteSettings
from ...photos.light import Light, check_format, read_light, write_light
from ...settings import EstimateSettings


@dataclass(frozen=True)
class DepthOfFieldRequest:
    """What is to be focused.

    Attributes:
        photo: path of the sharp picture, or of a `.npy` written by `scene.sources`.
        output: the file to write; its suffix decides the format (see `photos.light`).
        lens: focus and lens.
        depth: path of its depth (see `depth_of_field.scene_depth`); empty: estimated with `settings`.
        radius: in the place of depth and focus, an EXR of signed blur radii in pixels, as the pass in Blender saves
            with each render.
        fog: laid over the picture before it is focused, as the scene would be in it; not with `radius`.
        mattes: by distance, written beside the picture where their file is named; not with `radius`.
    """

    photo: str
    output: str
    lens: LensSettings
    depth: str = ""
    settings: EstimateSettings = field(default_factory=EstimateSettings)
    radius: str = ""
    fog: FogSettings = field(default_factory=FogSettings)
    mattes: MatteSettings = field(default_factory=MatteSettings)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> DepthOfFieldRequest:
        given = dict(data)
        given["lens"] = LensSettings.from_json(data["lens"])
        if "settings" in data:
            given["settings"] = EstimateSettings.from_json(data["settings"])
        if "fog" in data:
            given["fog"] = FogSettings.from_json(data["fog"])
        if "mattes" in data:
            given["mattes"] = MatteSettings.from_json(data["mattes"])
        return cls(**given)


@dataclass(frozen=True)
class DepthOfFieldResult:
    """What came out.

    Attributes:
        picture: the file that was written.
        width, height: its size.
        depth: `estimated`, `given`, or `rendered`.
        focus: distance that is sharp, in metres or in the depth's assumed units; None for a render, as the next two.
        largest_blur_px: radius of the largest blur circle there is.
        focal_px, focal_origin: the focal length and where it comes from.
        seconds: what it took.
    """

    picture: str
    width: int
    height: int
    depth: str
    focus: float | None
    largest_blur_px: float
    focal_px: float | None
    focal_origin: str | None
    seconds: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def run_depth_of_field(
    request: DepthOfFieldRequest,
    report: Callable[[str, int, int], None],
    cancelled: Callable[[], bool],
) -> DepthOfFieldResult:
    """Focus one picture and write it.

    Raises:
        MarigoldError: unusable picture, depth or lens, an output that cannot be written, no memory, or cancelled.
    """
    started = time.monotonic()
    for settings in (request.lens, request.fog, request.mattes):
        settings.check()
    output = Path(request.output)
    check_format(output)
    for file in (request.output, request.mattes.file):
        if file:
            check_writable(Path(file))
    report("reading", 0, 1)
    light = read_light(Path(request.photo))
    check_format(output, alpha=light.pixels.shape[2] == 4)
    radius, soft_edge_px, focused = _radii(request, light, report, cancelled)
    if focused is not None:
        light = in_fog(light, focused, request.fog)
    report("reading", 1, 1)
    report("importing", 0, 1)  # torch
    blurred = blur(light, radius, soft_edge_px, request.lens, lambda d, n: report("blurring", d, n), cancelled)
    report("writing", 0, 1)
    write_light(blurred, output)
    if focused is not None and request.mattes.file:
        mattes = mattes_by_distance(focused.distance, request.mattes)
        write_light(Light(mattes, scene_linear=True, deep=True), Path(request.mattes.file))
    report("writing", 1, 1)
    return DepthOfFieldResult(
        picture=str(output),
        width=light.pixels.shape[1],
        height=light.pixels.shape[0],
        depth="rendered" if request.radius else "given" if request.depth else "estimated",
        focus=focused.lens.focus if focused else None,
        largest_blur_px=round(float(abs(radius).max()), 2),
        focal_px=round(focused.focal_px, 2) if focused else None,
        focal_origin=focused.focal_origin if focused else None,
        seconds=round(time.monotonic() - started, 3),
    )


def _radii(
    request: DepthOfFieldRequest,
    light: Light,
    report: Callable[[str, int, int], None],
    cancelled: Callable[[], bool],
) -> tuple[np.ndarray, float, FocusedPicture | None]:
    """Signed blur radii [H, W], how soft their edges are, and the lens they come from where it is known."""
    if request.radius:
        radius = read_radii(Path(request.radius), request.lens.largest_blur_px(light.pixels.shape[1]))
        check_same_size(light, radius)
        return radius, 0.0, None
    depth = read_scene_depth(Path(request.depth)) if request.depth else _estimate(request, report, cancelled)
    check_same_size(light, depth.values)
    focused = focus_picture(request.lens, depth, light.camera)
    return focused.radius, depth.soft_edge_px, focused


def _estimate(
    request: DepthOfFieldRequest, report: Callable[[str, int, int], None], cancelled: Callable[[], bool]
) -> SceneDepth:
    from .estimate_job import EstimateRequest, run_estimate

    def report_all_but_writing(stage: str, done: int, total: int) -> None:
        if stage != "writing":  # that one comes once more, with the picture
            report(stage, done, total)

    with tempfile.TemporaryDirectory(prefix="marigold_depth_") as folder:
        asked = EstimateRequest(request.photo, "depth", folder, request.settings)
        result = run_estimate(asked, report_all_but_writing, cancelled)
        return read_scene_depth(Path(result.files["depth"]))


def in_fog(light: Light, focused: FocusedPicture, fog: FogSettings) -> Light:
    """The sharp picture in fog, where there is any."""
    if not fog.density:
        return light
    return replace(light, pixels=add_fog(light.pixels, focused.distance, focused.focal_px, fog))


def blur(
    light: Light,
    radius: np.ndarray,
    soft_edge_px: float,
    settings: LensSettings,
    report: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> Light:
    """The picture with depth of field.

    Args:
        radius, soft_edge_px: [H, W] signed blur radii in pixels, and how wide their edges are smeared.
        report: called with (tiles done, tiles).

    Raises:
        MarigoldError: cancelled.
    """
    from ...depth_of_field.blurring import blur_picture
    from ...depth_of_field.bokeh import Bokeh
    from ...depth_of_field.snapping import snap_edges
    from ...estimation.devices import choose_device

    def tile_done(done: int, total: int) -> None:
        if cancelled():
            raise MarigoldError("cancelled", "The depth of field was cancelled.")
        report(done, total)

    tile_done(0, 1)
    radius = snap_edges(light.pixels, radius, soft_edge_px)
    bokeh = Bokeh(settings.blades, math.radians(settings.rotation_deg))
    device = choose_device("auto")
    if device.type == "mps":  # it has no 64-bit numbers, which highlights need
        device = choose_device("cpu")
    return replace(light, pixels=blur_picture(light.pixels, radius, bokeh, tile_done, device))


def check_same_size(light: Light, depth: np.ndarray) -> None:
    """Refuse a depth that is not the picture's.

    Raises:
        MarigoldError: `bad_input`.
    """
    height, width = light.pixels.shape[:2]
    if depth.shape != (height, width):
        other_height, other_width = depth.shape
        raise MarigoldError(
            "bad_input",
            f"The picture has {width} × {height} pixels but its depth {other_width} × {other_height}: give the depth "
            "of this picture.",
        )


def check_writable(output: Path) -> None:
    """Fail before anything is computed.

    Raises:
        MarigoldError: a folder stands there (`bad_input`), or it may not be written (`cannot_write`).
    """
    if output.is_dir():
        raise MarigoldError("bad_input", f"“{output}” is a folder: name the file to write.")
    existing = next(folder for folder in output.absolute().parents if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise MarigoldError("cannot_write", f"The folder of “{output}” is not writable: choose another.")
