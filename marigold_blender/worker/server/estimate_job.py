# SPDX-License-Identifier: GPL-3.0-or-later
"""The main task: a photo's file in, its depth files out. Used by the worker (`tasks`) and by `marigold estimate`.

torch is imported once the photo, the model and the settings are known to be good, diffusers only if there is something
to compute: bad input is answered at once.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ...depth_files.depth_map import DepthMap
from ...depth_files.names import safe_stem
from ...depth_files.read import read_depth
from ...depth_files.write import copy_depth, write_depth
from ...errors import MarigoldError
from ...estimation.checkpoint_files import read_defaults
from ...models.find import find_model
from ...paths import default_cache
from ...photos.photo import pixels_sha256
from ...photos.pixels import read_pixels
from ...photos.read import read_photo
from ...photos.upright_copy import write_upright_copy
from ...record import DepthRecord
from ...settings import EstimateSettings
from .cache import ResultCache, result_key
from .self_calibrating import with_self_calibration

# Raise it when the same settings would give another depth than before: results of the old version are not used again.
ESTIMATOR_VERSION = 1


@dataclass(frozen=True)
class EstimateRequest:
    """What is to be estimated.

    Attributes:
        photo: path of the photo, or of a `.npy` written by `scene.sources` with the pixels of an image data-block.
        name: stem of the files to write.
        output: folder for them; made if it is missing.
        settings: as asked for; every 0 is filled in from the model.
        metadata: for pixels: the file that the image was loaded from, whose EXIF is worth reading; else empty.
        image: for pixels: name of the image data-block, for the record; else empty.
        calibrate: also note what the depth tells by itself of shift and focal length, which takes most of a second.
    """

    photo: str
    name: str
    output: str
    settings: EstimateSettings
    metadata: str = ""
    image: str = ""
    calibrate: bool = True

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> EstimateRequest:
        return cls(**{**data, "settings": EstimateSettings.from_json(data["settings"])})


@dataclass(frozen=True)
class EstimateResult:
    """What came out.

    Attributes:
        files: paths by kind: depth, mask, uncertainty, depth_png, preview, record (see `docs/files.md`); and photo, a
            file that Blender shows exactly as the network saw it: the given one, or an upright sRGB copy.
        cached: whether the depth had been computed before.
        seconds: what this request took.
        device: name of the device, for people.
        memory_mib: the most memory that computing held on it; 0 for a depth from the cache.
    """

    files: dict[str, str]
    cached: bool
    seconds: float
    record: DepthRecord
    device: str
    memory_mib: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def run_estimate(
    request: EstimateRequest,
    report: Callable[[str, int, int], None],
    cancelled: Callable[[], bool],
) -> EstimateResult:
    """Estimate one photo, or find it in the cache, and write its files.

    Raises:
        MarigoldError: unusable photo, settings or model, an output that cannot be written, no memory, or cancelled.
    """
    try:
        return _run(request, report, cancelled)
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        raise MarigoldError(
            "out_of_memory",
            f"{Path(request.photo).name} does not fit into memory: close other programs, or scale it down.",
            details=f"{type(error).__name__}: {error}",
        ) from error


def _run(
    request: EstimateRequest, report: Callable[[str, int, int], None], cancelled: Callable[[], bool]
) -> EstimateResult:
    started = time.monotonic()
    output = Path(request.output)
    _check_output(output)
    report("reading", 0, 1)
    photo = (
        read_pixels(Path(request.photo), request.metadata) if _is_pixels(request) else read_photo(Path(request.photo))
    )
    source_hash = pixels_sha256(photo)
    report("reading", 1, 1)

    folder = find_model(request.settings.model)
    defaults = read_defaults(folder)
    # Before torch is there, so that impossible settings are refused at once; again when the device is known.
    request.settings.resolved(defaults.steps, defaults.resolution, single_step=defaults.zero_noise)
    report("importing", 0, 1)
    from ...estimation.devices import choose_device, choose_dtype, device_name
    from ...estimation.memory import peak_mib, start_measuring

    device = choose_device("auto")
    settings = request.settings.resolved(
        defaults.steps, defaults.resolution, single_step=defaults.zero_noise, on_processor=device.type == "cpu"
    )
    key = result_key(
        source=source_hash,
        settings={**settings.to_json(), "model": "", "preset": ""},  # the revision and the numbers stand for them
        revision=defaults.revision,
        version=ESTIMATOR_VERSION,
        dtype=str(choose_dtype(device, defaults.parameters)),
        device=device.type,
    )
    cache = ResultCache(default_cache())
    kept = _kept(cache, key)
    cached = kept is not None
    memory_mib = 0
    if kept is None:
        from .warm_estimator import compute_depth

        start_measuring(device)
        tiles = default_cache() / "tiles" / key
        depth_map = compute_depth(photo, source_hash, folder, defaults.revision, settings, report, cancelled, tiles)
        if request.calibrate:
            depth_map = replace(depth_map, record=with_self_calibration(depth_map, photo.camera.focal_px))
        kept = cache.store(key, lambda beside: write_depth(depth_map, beside, "result")), depth_map
        shutil.rmtree(tiles, ignore_errors=True)
        memory_mib = peak_mib(device)
    kept_files, kept_map = kept

    report("writing", 0, 1)
    name = safe_stem(request.name)
    record = replace(
        with_self_calibration(kept_map, photo.camera.focal_px) if request.calibrate else kept_map.record,
        name=name,
        source=request.image or str(Path(request.photo).absolute()),
        camera=photo.camera,
        settings=settings.to_json(),
        model=settings.model,
    )
    files = copy_depth(kept_files, record, output, name)
    files["photo"] = photo.path
    if not photo.shows_as_is:
        files["photo"] = write_upright_copy(photo, output / f"{name}_photo.png")
    report("writing", 1, 1)
    return EstimateResult(
        files={kind: str(path) for kind, path in files.items()},
        cached=cached,
        seconds=round(time.monotonic() - started, 3),
        record=record,
        device=device_name(device),
        memory_mib=memory_mib,
    )


def _is_out_of_memory(error: BaseException) -> bool:
    """Also of torch, which is not imported to find out: without it nothing of torch can have failed."""
    if isinstance(error, MemoryError) or "torch" not in sys.modules:
        return isinstance(error, MemoryError)
    from ...estimation.devices import is_out_of_memory

    return is_out_of_memory(error)


def _check_output(output: Path) -> None:
    """Fail before anything is computed, not after; the folder is made only when there is something to put into it."""
    existing = next(folder for folder in (output.absolute(), *output.absolute().parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise MarigoldError("cannot_write", f"The output folder “{output}” is not writable: choose another.")


def _kept(cache: ResultCache, key: str) -> tuple[dict[str, Path], DepthMap] | None:
    files = cache.find(key)
    try:
        return (files, read_depth(files["depth"])) if files else None
    except MarigoldError:
        return None  # damaged in a way that its size does not show: computed afresh, and stored over it


def _is_pixels(request: EstimateRequest) -> bool:
    return Path(request.photo).suffix == ".npy" and bool(request.image)
