# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input to a whole estimate: memory that fails at any stage, pixels and schedulers that are nonsense."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813
import pytest
from PIL import Image
from skimage import data

from marigold_blender.depth_files.read import read_depth
from marigold_blender.errors import MarigoldError
from marigold_blender.estimation import ensembling, estimator, tiling
from marigold_blender.settings import EstimateSettings
from marigold_blender.worker.server import estimate_job, warm_estimator
from marigold_blender.worker.server.estimate_job import EstimateRequest, run_estimate
from tests.unit.checkpoints import DEMO

SETTINGS = EstimateSettings(steps=1, ensemble=2, resolution=32)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARIGOLD_CACHE", str(tmp_path / "cache"))


def run(photo: Path, settings: EstimateSettings = SETTINGS) -> np.ndarray:
    """The depth [H, W] as it is written."""
    request = EstimateRequest(str(photo), "a", str(photo.parent / "out"), settings)
    result = run_estimate(request, lambda *_: None, lambda: False)
    return read_depth(Path(result.files["depth"])).depth


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.fromarray(data.coffee()[:96, :128]).save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.mark.parametrize(
    ("place", "name", "error"),
    [
        (estimate_job, "read_photo", MemoryError()),
        (estimator, "load_checkpoint", RuntimeError("DefaultCPUAllocator: can't allocate memory")),
        (estimator, "to_network_picture", RuntimeError("DefaultCPUAllocator: can't allocate memory")),
        (estimator, "encode", MemoryError()),
        (estimator, "denoise", MemoryError()),
        (estimator, "decode", RuntimeError("CUDA out of memory.")),
        (ensembling.Ensemble, "merge", MemoryError()),
        (estimator, "to_photo_size", MemoryError()),
        (tiling, "enlarged", RuntimeError("DefaultCPUAllocator: can't allocate memory")),
        (estimate_job, "write_depth", MemoryError()),
        (estimate_job, "copy_depth", MemoryError()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_memory_that_fails_at_any_stage_is_a_sentence_and_the_next_estimate_is_whole(
    photo: Path, monkeypatch: pytest.MonkeyPatch, place: object, name: str, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    settings = replace(SETTINGS, tiling=int(place is tiling))
    warm_estimator.forget_model()  # and with it the photo's latent
    with monkeypatch.context() as patch:
        patch.setattr(place, name, fail)
        with pytest.raises(MarigoldError) as caught:
            run(photo, settings)
    assert caught.value.kind == "out_of_memory"
    assert "memory" in caught.value.message
    assert "\n" not in caught.value.message
    assert not list((photo.parent / "out").glob("*"))
    depth = run(photo, settings)
    assert depth.shape == (96, 128)
    assert depth.std() > 1e-3


def test_nonsense_in_an_exr_does_not_reach_the_network(tmp_path: Path) -> None:
    pixels = (data.coffee()[:96, :128] / 255.0).astype(np.float32)
    pixels[10:20, 10:20], pixels[30, 30], pixels[40, 40] = np.nan, np.inf, -np.inf
    file = oiio.ImageOutput.create(str(tmp_path / "a.exr"))
    file.open(str(tmp_path / "a.exr"), oiio.ImageSpec(128, 96, 3, "float"))
    file.write_image(pixels)
    file.close()
    depth = run(tmp_path / "a.exr")
    assert np.isfinite(depth).all()
    assert depth.std() > 1e-3


@pytest.mark.parametrize("suffix", ["png", "tif", "exr"])
def test_transparent_areas_of_deep_pictures_are_invalid_depth(tmp_path: Path, suffix: str) -> None:
    pixels = np.ones((96, 128, 4), np.float32)
    pixels[..., :3] = data.coffee()[:96, :128] / 255.0
    pixels[:, :40] = 0.0
    path = tmp_path / f"a.{suffix}"
    file = oiio.ImageOutput.create(str(path))
    file.open(str(path), oiio.ImageSpec(128, 96, 4, "half" if suffix == "exr" else "uint16"))
    file.write_image(pixels)
    file.close()
    request = EstimateRequest(str(path), "a", str(tmp_path / "out"), SETTINGS)
    result = run_estimate(request, lambda *_: None, lambda: False)
    depth_map = read_depth(Path(result.files["depth"]))
    assert depth_map.valid is not None
    assert not depth_map.valid[:, :40].any()
    assert depth_map.valid[:, 40:].all()
    assert (depth_map.depth[:, :40] == 1.0).all()
    assert result.record.invalid_fraction == pytest.approx(40 / 128)


def test_pixels_that_are_not_numbers_are_not_blamed_on_the_model() -> None:
    pixels = np.full((40, 60, 3), 0.5, np.float32)
    pixels[3, 4] = np.nan
    with pytest.raises(MarigoldError) as caught:
        estimator.Estimator.load(DEMO, "cpu").estimate(pixels, SETTINGS, lambda *_: None, lambda: False)
    assert caught.value.kind == "bad_input"
    assert "picture" in caught.value.message


@pytest.mark.parametrize(
    "values",
    [
        {"beta_schedule": "nonsense"},
        {"timestep_spacing": "nonsense"},
        {"prediction_type": "nonsense"},
        {"num_train_timesteps": "many"},
        {"trained_betas": "none"},
    ],
    ids=lambda values: next(iter(values)),
)
def test_a_scheduler_with_impossible_values_is_refused_when_it_is_loaded(tmp_path: Path, values: dict) -> None:
    model = Path(shutil.copytree(DEMO, tmp_path / "model"))
    path = model / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    with pytest.raises(MarigoldError) as caught:
        estimator.Estimator.load(model, "cpu")
    assert caught.value.kind == "no_model"
    assert "scheduler_config.json" in caught.value.message
